// The component.

const views = new WeakMap();

// Called on every run of the page with the same parent: one view per parent, told the news. A clean-up that belongs to
// an earlier call must not stop the view a later call relies on.
export default function (component) {
  const { parentElement: parent, data } = component;
  let view = views.get(parent);
  if (!view || !view.root.isConnected || view.stopping.signal.aborted) {
    view?.stop();
    view = new View(parent);
    views.set(parent, view);
  }
  const turn = {};
  view.turn = turn;
  view.configure(data ?? {});
  return () => {
    if (view.turn === turn) view.stop();
  };
}
