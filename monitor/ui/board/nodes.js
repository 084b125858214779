// Nodes.

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

// Writing into the text node there is costs the browser less than making another.
function setText(node, value) {
  const child = node.firstChild;
  if (child?.nodeType !== Node.TEXT_NODE || child.nextSibling) node.textContent = value;
  else if (child.data !== value) child.data = value;
}

function setAttribute(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

// One node per key, made once, patched after that, moved only when out of order.
class KeyedList {
  constructor(parent, create, patch) {
    Object.assign(this, { parent, create, patch, views: new Map() });
    parent.replaceChildren();
  }

  draw(items) {
    const wanted = new Set(items.map((item) => item.key));
    for (const [key, view] of this.views) {
      if (wanted.has(key)) continue;
      view.node.remove();
      this.views.delete(key);
    }
    let cursor = this.parent.firstChild;
    for (const item of items) {
      let view = this.views.get(item.key);
      if (!view) this.views.set(item.key, (view = this.create(item)));
      if (view.node === cursor) cursor = cursor.nextSibling;
      else this.parent.insertBefore(view.node, cursor);
      this.patch(view, item);
      view.item = item;
    }
  }
}

function linkTo(checkUrl, name) {
  // A name cut in the middle of an emoji is not encodable; the rest of it still is.
  const safe = name.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  return checkUrl + encodeURIComponent(safe);
}

function makeLink(checkUrl, check, ...children) {
  const link = make("a", "", ...children);
  link.href = linkTo(checkUrl, check.name);
  link.target = "_self";
  return link;
}

function pulse(node) {
  node.classList.remove("pulse");
  void node.offsetWidth; // restarts the animation
  node.classList.add("pulse");
  node.addEventListener("animationend", () => node.classList.remove("pulse"), { once: true });
}

const SVG = "http://www.w3.org/2000/svg";

function makeTicks() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "ticks");
  svg.setAttribute("viewBox", "0 0 48 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const paths = {};
  for (const letter of Object.keys(TICKS)) {
    paths[letter] = document.createElementNS(SVG, "path");
    paths[letter].setAttribute("class", `tick-${letter}`);
    svg.append(paths[letter]);
  }
  return { svg, paths };
}

// The newest verdict stands at the right edge; the worse, the taller, so that it is read without colour.
function patchTicks({ svg, paths }, ticks) {
  const shapes = { O: "", W: "", F: "", U: "" };
  const counts = { O: 0, W: 0, F: 0, U: 0 };
  const known = [...ticks].map((letter) => (letter in TICKS ? letter : "U"));
  known.forEach((letter, i) => {
    const height = TICKS[letter][1];
    shapes[letter] += `M${48 - known.length + i + 0.12} ${1 - height}h.76v${height}h-.76z`;
    counts[letter] += 1;
  });
  for (const letter of Object.keys(TICKS)) setAttribute(paths[letter], "d", shapes[letter]);
  const words = Object.keys(TICKS).filter((letter) => counts[letter]).map((letter) => `${counts[letter]} ${TICKS[letter][0]}`);
  setAttribute(svg, "aria-label", `last ${known.length}: ${words.join(", ")}`);
}

const QUESTION = "M23 24C23 12 41 12 41 24C41 31 32 31 32 38M32 48V50";
const BARS = "M24 19V45M40 19V45";
const ICONS = {
  fail: { color: "#d92d35", path: "M20 20L44 44M44 20L20 44" },
  warn: { color: "#e0a11b", path: "M32 14V36M32 47V49" },
  unknown: { color: "#7c8a97", path: QUESTION },
  stale: { color: "#7c8a97", path: QUESTION },
  maintenance: { color: "#2b65d9", path: BARS },
  paused: { color: "#7c8a97", path: BARS },
  ok: { color: "#1f9d68", path: "M17 33L28 44L48 21" },
};

function iconUrl(tone) {
  const { color, path } = ICONS[tone];
  const corner = tone === "fail" ? 30 : 14; // failing is round, so that it differs without its colour
  const shape = `<rect x="2" y="2" width="60" height="60" rx="${corner}" fill="${color}"/>`;
  const stroke = `fill="none" stroke="#fff" stroke-width="9" stroke-linecap="round" stroke-linejoin="round"`;
  const svg = `<svg xmlns="${SVG}" viewBox="0 0 64 64">${shape}<path d="${path}" ${stroke}/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

// The tab: title and icon carry the worst status. The host page may set its own at any time, so it is looked at each
// second; what was there is put back when the board goes.
class Tab {
  show(title, tone) {
    this.titleBefore ??= document.title;
    this.title = title;
    if (document.title !== title) document.title = title;
    let link = document.querySelector("link[rel~='icon']");
    if (!link) document.head.append((link = Object.assign(document.createElement("link"), { rel: "icon" })));
    this.iconBefore ??= link.href;
    const href = iconUrl(tone);
    if (link.href !== href) link.href = href;
  }

  restore() {
    if (this.title && document.title === this.title) document.title = this.titleBefore;
    const link = document.querySelector("link[rel~='icon']");
    if (this.iconBefore && link) link.href = this.iconBefore;
  }
}

// "light" or "dark", by the luminance of what Streamlit paints behind us.
function themeBehind(probe) {
  const [r, g, b, alpha = 1] = (getComputedStyle(probe).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
  if (alpha === 0 || b === undefined) return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  const linear = (v) => (v <= 10.31 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.18 ? "light" : "dark";
}
