// The age of a page: quiet in its header, loud when the server is silent.

const SILENT_MS = 10_000;

class View {
  constructor(parent) {
    this.root = parent.querySelector(".news");
    this.feed = new Feed(() => this.tick());
    this.stopping = new AbortController();
    document.addEventListener("visibilitychange", () => document.hidden || this.tick(), { signal: this.stopping.signal });
  }

  // Called whenever the page's script has run: `run` differs then, and what it drew is new.
  configure(data) {
    if (this.run !== data.run) this.drawnAt = performance.now();
    this.run = data.run;
    this.feed.configure(data.url, data.every_s);
    if (!this.feed.running) {
      this.feed.start();
      this.beat = setInterval(() => this.tick(), 1000);
    }
    this.tick();
  }

  stop() {
    this.feed.stop();
    clearInterval(this.beat);
    this.stopping.abort();
  }

  tick() {
    this.feed.noticeSleep();
    const silentMs = this.feed.silentMs();
    const loud = silentMs > SILENT_MS;
    setAttribute(this.root, "data-loud", loud ? "" : null);
    const age = `${runningDuration(performance.now() - this.drawnAt)} ago`;
    setText(this.root.querySelector(".drawn"), `as of ${age}`);
    setText(this.root.querySelector(".silence"), loud ? `No news from Greenwall for ${runningDuration(silentMs)}: what you see is old.` : "");
  }
}
