// The view.

const PAGE_CARDS = 24;
const PAGE_CHIPS = 240;
const NARROW_GROUP = 190; // narrower, in units, it has room for its name alone
const WORDY_TILE = 250; // so wide, in units, a tile has room for the word of its status beside the reason
const CARD_STATES = { FAIL: "failing", SLOW: "slow", WARN: "warning", FLAPPING: "well again" };
const RELOAD_JITTER_MS = 15 * 60 * 1000;

class View {
  constructor(parent) {
    this.root = parent.querySelector(".board");
    this.tones = new Set();
    this.words = [];
    this.tab = new Tab();
    this.herald = new Herald(() => this.drawHeralds());
    this.feed = new Feed(() => this.update());
    this.stopping = new AbortController();
    const parts = new Map();
    const at = (name) => parts.get(name) ?? parts.set(name, this.root.querySelector(`.${name}`)).get(name);
    this.at = at;
    this.notices = new KeyedList(at("notices"), makeNotice, patchNotice);
    this.counts = new KeyedList(at("counts"), makeCount, patchCount);
    this.filters = new KeyedList(at("filters"), (item) => this.makeFilter(item), (view, item) => this.patchFilter(view, item));
    this.cards = new KeyedList(at("cards"), (check) => this.makeCard(check), (view, check) => this.patchCard(view, check));
    this.rest = new KeyedList(at("rest"), (check) => this.makeRest(check), patchRest);
    this.groups = new KeyedList(at("groups"), (group) => this.makeGroup(group), (view, group) => this.patchGroup(view, group));
    this.listen();
  }

  configure(data) {
    this.data = { every_s: 2, wall: false, url: "/api/board", check_url: "check?name=", config: "checks.yaml", theme: null, ...data };
    this.feed.configure(this.data.url, this.data.every_s);
    this.planned = null;
    this.drawHeralds();
    if (!this.feed.running) {
      this.feed.start();
      this.beat = setInterval(() => this.tick(), 1000);
    }
    this.draw();
  }

  stop() {
    this.feed.stop();
    clearInterval(this.beat);
    this.stopping.abort();
    this.resized.disconnect();
    this.tab.restore();
  }

  listen() {
    const on = (target, event, handler) => target.addEventListener(event, handler, { signal: this.stopping.signal });
    const search = this.at("search");
    on(search, "input", () => this.search(search.value));
    on(search, "keydown", (event) => {
      event.stopPropagation(); // the host page has one-letter shortcuts and cannot see that this is a text field
      if (event.key === "Escape") this.search("");
    });
    on(this.at("empty-clear"), "click", () => this.search("", true));
    on(this.at("heralds"), "click", (event) => {
      const choice = event.target.closest("button")?.dataset.choice;
      if (choice) this.herald.turn(choice);
    });
    on(document, "keydown", (event) => this.onKey(event));
    on(document, "visibilitychange", () => document.hidden || (this.tick(), this.feed.asking || this.feed.loop()));
    for (const event of ["pointerover", "focusin"]) on(this.at("stage"), event, (e) => this.showTip(e));
    for (const event of ["pointerleave", "focusout"]) on(this.at("stage"), event, () => this.hideTip());
    this.resized = new ResizeObserver(() => this.layout());
    this.resized.observe(this.root);
    this.resized.observe(this.at("stage"));
  }

  onKey(event) {
    const typing = event.composedPath()[0]?.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "Escape") this.hideTip();
    if (event.key !== "/" || typing || this.data.wall || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.at("search").focus();
  }

  search(value, everything = false) {
    if (this.at("search").value !== value) this.at("search").value = value;
    this.words = value.toLowerCase().split(/\s+/).filter(Boolean);
    if (everything) this.tones.clear();
    this.draw();
  }

  // ---- drawing: after an answer, a search, a change of size

  update() {
    if (this.feed.board && this.feed.board !== this.board) {
      this.board = this.feed.board;
      this.herald.hear(this.board.alerts);
    }
    if (this.drawn === this.board) this.tick();
    else this.draw();
  }

  draw() {
    const board = this.board;
    if (board) {
      this.notices.draw(this.data.wall ? fewNotices(board.notices) : board.notices);
      const counted = COUNT_ORDER.filter((tone) => board.counts[tone]).map((tone) => {
        return { key: tone, tone, n: board.counts[tone], word: countedAs(board, tone) };
      });
      this.counts.draw(counted);
      this.filters.draw(counted);
      setHidden(this.at("tools"), !board.checks.length);
      const shows = this.data.wall ? () => true : (check) => matches(check, this.words, this.tones);
      this.shows = shows;
      this.groups.draw(board.groups);
      this.trouble = this.data.wall ? board.folded : board.trouble.filter(shows);
      this.drawEmpty(board, board.checks.some(shows));
    }
    this.tick();
    this.layout(true);
    this.drawn = board;
  }

  drawHeralds() {
    for (const button of this.at("heralds").children) {
      const { pressed, label, dead } = this.herald.said(button.dataset.choice);
      setText(button, label);
      setAttribute(button, "aria-pressed", String(pressed));
      button.disabled = dead;
    }
  }

  drawEmpty(board, any) {
    const none = !board.checks.length;
    setHidden(this.at("empty"), any);
    setHidden(this.at("empty-clear"), none);
    const asked = this.words.join(" ");
    const nothing = asked ? `Nothing matches “${asked}”.` : "No check has this status.";
    setText(this.at("empty-text"), none ? `Add the first one to ${this.data.config}; it appears here by itself.` : nothing);
  }

  // Once a second, and after every answer: whatever a clock changes. Nothing here touches the tiles.
  tick() {
    this.feed.noticeSleep();
    const news = this.feed.news();
    const now = this.feed.now();
    this.seenAt = news.state === "stale" && news.ageMs !== null ? now - news.ageMs : now; // durations stop where the news stopped
    setAttribute(this.root, "data-theme", this.data.theme ?? themeBehind(this.at("theme-probe")));
    setAttribute(this.root, "data-stale", news.state === "stale" ? "" : null);
    this.tickSentence(news, now);
    this.tickBand(news, now);
    this.tickClock(news, now);
    for (const view of this.cards.views.values()) patchSince(view, this.seenAt);
    if (this.board || news.state === "stale") {
      const tone = news.state === "stale" ? "stale" : sentenceOf(this.board, now).tone;
      this.tab.show(tabTitle(this.board, news.state === "stale"), tone);
    }
    this.reloadAtNight(news, now);
  }

  // While stale the last known sentence is never shown as if it were true.
  tickSentence(news, now) {
    const last = this.board && sentenceOf(this.board, now);
    let shown = last ?? { tone: "unknown", text: "Connecting", more: [] };
    if (news.state === "stale") {
      const text = last ? "No fresh data" : "No answer from the server";
      const more = last ? `last known: ${last.text}` : `asking again every ${duration(this.feed.everyMs)}`;
      shown = { tone: "unknown", text, more: [more] };
    }
    setAttribute(this.root, "data-tone", shown.tone);
    setText(this.at("sentence"), shown.text);
    setText(this.at("more"), shown.more.join(" · "));
  }

  tickBand(news, now) {
    const stale = news.state === "stale";
    if (stale) {
      const ageMs = news.ageMs ?? news.waited ?? null;
      setText(this.at("band-word"), `STALE · ${news.why}`);
      setText(this.at("band-age"), ageMs === null ? "" : `for ${runningDuration(ageMs)}`);
      const seen = news.ageMs === null ? "" : `${clockTime(this.seenAt, this.board.zone)} ${zoneName(now, this.board.zone)}`;
      setText(this.at("band-seen"), seen && `last heard of at ${seen}`);
    }
    if (this.at("band").hidden !== stale) return;
    setHidden(this.at("band"), !stale);
    this.layout(true);
  }

  tickClock(news, now) {
    if (!this.board || this.feed.serverOffset === null) return;
    const { zone, uptime } = this.board;
    setText(this.at("time"), clockTime(now, zone));
    setText(this.at("zone"), zoneName(now, zone));
    const parts = [];
    if (news.ageMs !== null) parts.push(`checked ${runningDuration(news.ageMs)} ago`);
    const late = news.state === "live" && news.why;
    if (late) parts.push(news.why);
    else if (uptime && this.board.checks.length && news.state === "live") parts.push(uptimeText(uptime));
    setAttribute(this.at("checked"), "data-late", late ? "" : null);
    setText(this.at("checked"), parts.join(" · "));
  }

  // A page that is never left slowly grows; but a reload while the server is away would leave an error page on the wall.
  reloadAtNight(news, now) {
    if (!this.data.wall || !this.board || news.state !== "live" || news.why) return;
    const steady = performance.now();
    this.reloadAt ??= steady + msUntilFour(now, this.board.zone) + Math.random() * RELOAD_JITTER_MS;
    if (steady >= this.reloadAt) location.reload();
  }

  // ---- sizes

  // A wall on a phone would be unreadable or would scroll: there it is a page.
  layout(drawn = false) {
    const wall = this.data.wall && innerWidth >= 700 && innerHeight >= 400;
    setAttribute(this.root, "data-wall", wall ? "" : null);
    setAttribute(this.root, "data-bare", this.data.wall && !wall ? "" : null);
    if (wall) this.layoutWall(drawn);
    else this.layoutPage(drawn);
  }

  layoutPage(drawn) {
    if (this.planned !== "page") this.clearPlan();
    this.planned = "page";
    if (drawn && this.board) this.drawTrouble(PAGE_CARDS, PAGE_CHIPS, []);
  }

  layoutWall(drawn) {
    const u = this.sizeWall();
    if (!this.board) return;
    const { board } = this;
    const stage = this.at("stage");
    const [w, h] = [stage.clientWidth / u, stage.clientHeight / u];
    const sizes = board.groups.map((group) => group.checks.length);
    const wanted = [w, h, u, sizes, board.folded.length, board.doubtful.length].join();
    if (this.planned !== wanted) {
      this.planned = wanted;
      this.plan = planWall(w, h, sizes, board.folded.length, board.doubtful.length);
      this.applyPlan(this.plan, u);
    } else if (!drawn) return;
    this.drawTrouble(this.plan.cards, this.plan.chips, this.plan.body.kind === "tiles" ? [] : board.doubtful);
  }

  // The unit, in pixels: 1 at 1920 x 1080. The sentence is as large as its length lets it be.
  sizeWall() {
    const unit = Math.min(Math.sqrt((innerWidth * innerHeight) / (1920 * 1080)), innerWidth / 1080, innerHeight / 640);
    const u = Math.max(0.5, Math.round(unit * 100) / 100);
    this.root.style.setProperty("--u", `${u}px`);
    const narrow = innerWidth / u < 1500;
    setAttribute(this.root, "data-narrow", narrow ? "" : null);
    const share = this.board && !narrow ? 0.41 : 0.56; // of the width: the counts and the clock need the rest
    const letters = this.at("sentence").textContent.length;
    const most = this.board?.trouble.length ? 104 : 136;
    this.root.style.setProperty("--sentence", `${Math.floor(Math.min(most, (innerWidth / u) * share / (letters * 0.6))) * u}px`);
    return u;
  }

  applyPlan(plan, u) {
    const { body } = plan;
    const set = (node, name, value) => node.style.setProperty(name, value);
    const px = (units) => `${Math.floor(units * u * 100) / 100}px`;
    setAttribute(this.root, "data-cards", plan.size);
    setAttribute(this.root, "data-squares", { tiles: null, squares: "headed", bare: "bare" }[body.kind]);
    set(this.root, "--card-cols", plan.cardCols);
    set(this.root, "--card-height", px(plan.cardHeight));
    set(this.root, "--rest-cols", plan.chipCols);
    set(this.root, "--head-height", px(body.head));
    set(this.root, "--tile-gap", px(body.gap));
    set(this.root, "--tile-width", px(body.width));
    set(this.root, "--tile-height", px(body.height));
    setAttribute(this.root, "data-lines", body.height < TILE_LINES.second ? 1 : body.height < TILE_LINES.third ? 2 : 3);
    set(this.root, "--tile-name", px(Math.max(13, Math.min(30, body.height * 0.3, body.width * 0.11))));
    set(this.root, "--tile-line", px(Math.max(12, Math.min(22, body.height * 0.24, body.width * 0.09))));
    set(this.root, "--square-sign", px(body.height * 0.7));
    set(this.at("groups"), "top", px(plan.height ? plan.height + SECTION_GAP : 0));
    [...this.groups.views.values()].forEach(({ node }, i) => {
      const place = body.groups[i];
      if (!place) return;
      set(node, "left", px(place.x));
      set(node, "top", px(place.y));
      set(node, "width", px(place.width));
      setAttribute(node, "data-terse", place.tileWidth < WORDY_TILE ? "" : null);
      setAttribute(node, "data-narrow", place.width < NARROW_GROUP ? "" : null);
      set(node, "--cols", place.cols);
      set(node, "--tile-width", px(place.tileWidth));
    });
  }

  clearPlan() {
    for (const name of ["data-cards", "data-squares", "data-narrow", "data-lines"]) this.root.removeAttribute(name);
    const groups = [...this.groups.views.values()].map((view) => view.node);
    for (const node of [this.root, this.at("groups"), ...groups]) node.removeAttribute("style");
    for (const node of groups) for (const name of ["data-terse", "data-narrow"]) node.removeAttribute(name);
  }

  drawTrouble(cards, chips, doubtful) {
    const waiting = [...this.trouble.slice(cards), ...doubtful];
    const shown = waiting.length > chips ? waiting.slice(0, Math.max(0, chips - 1)) : waiting;
    const hidden = waiting.length - shown.length;
    this.cards.draw(this.trouble.slice(0, cards));
    this.rest.draw(hidden ? [...shown, { key: "\u0000more", overflow: `+${hidden} more` }] : shown);
    setHidden(this.at("cards"), !cards || !this.trouble.length);
  }

  // ---- one check

  makeCard(check) {
    const [sign, name, flags, severity] = [make("i", "sign"), make("b", "card-name"), make("span", "flags"), make("span", "severity")];
    const [state, since, before, who] = [make("span"), make("b"), make("span"), make("b")];
    const owner = make("span", "owner", before, who);
    const ticks = makeTicks();
    const message = make("p", "card-message");
    sign.setAttribute("aria-hidden", "true");
    const top = make("div", "card-top", sign, name, flags, severity);
    const bottom = make("div", "card-foot", make("span", "since", state, since), owner);
    const link = makeLink(this.data.check_url, check, top, message, ticks.svg, bottom);
    const node = make("li", "card", link);
    node.setAttribute("role", "listitem");
    return { node, link, name, flags, severity, message, ticks, state, since, owner, before, who, item: null };
  }

  patchCard(view, check) {
    setAttribute(view.node, "data-tone", check.tone);
    setAttribute(view.node, "data-follows", follows(check) ? "" : null);
    setText(view.name, titleOf(check));
    setText(view.severity, check.severity);
    setHidden(view.severity, !check.severity);
    setText(view.message, check.message);
    const flags = [...chipFlags(check), ...(check.stale ? ["stale"] : [])];
    if (view.flags.childElementCount !== flags.length || view.flags.textContent !== flags.join("")) {
      view.flags.replaceChildren(...flags.map((flag) => make("span", "chip-flag", flag)));
    }
    if (view.item?.ticks !== check.ticks) patchTicks(view.ticks, check.ticks);
    const owner = ownerOf(check);
    setText(view.before, owner.before);
    setText(view.who, owner.name);
    setAttribute(view.owner, "data-nobody", owner.nobody ? "" : null);
    setText(view.state, CARD_STATES[wordOf(check)] + (check.sinceMs === null ? "" : " for "));
    if (view.item && view.item.tone !== check.tone && !check.flags.includes("flapping")) pulse(view.node);
    view.item = check;
    view.link.check = check;
    patchSince(view, this.seenAt);
  }

  makeRest(item) {
    const inner = item.overflow ? make("span") : makeLink(this.data.check_url, item);
    const node = make("li", item.overflow ? "rest-item overflow" : "rest-item", inner);
    node.setAttribute("role", "listitem");
    return { node, inner };
  }

  makeGroup(group) {
    const name = make("h2", "group-name");
    const well = make("span");
    const tiles = make("ul", "tiles");
    tiles.setAttribute("role", "list");
    const node = make("section", "group", make("div", "group-head", name, make("span", "group-well", well, " well")), tiles);
    const list = new KeyedList(tiles, (check) => this.makeTile(check), (view, check) => this.patchTile(view, check));
    return { node, name, well, tiles: list };
  }

  patchGroup(view, group) {
    const well = group.checks.filter((check) => check.tone === "ok").length;
    setText(view.name, group.name);
    setText(view.well, `${well} of ${group.checks.length}`);
    setAttribute(view.tiles.parent, "aria-label", group.name);
    view.tiles.draw(group.checks);
    setHidden(view.node, !group.checks.some(this.shows));
  }

  makeTile(check) {
    const [name, word, rest] = [make("b", "tile-name"), make("span"), make("span")];
    const link = makeLink(this.data.check_url, check, name, make("span", "tile-line", word, rest));
    const node = make("li", "tile", link);
    node.setAttribute("role", "listitem");
    return { node, link, name, word, rest };
  }

  patchTile(view, check) {
    const old = view.item;
    const { word, rest } = tileLine(check);
    const line = word + rest;
    if (!old) setText(view.name, check.name);
    if (view.said !== line || old?.tone !== check.tone) {
      view.said = line;
      setText(view.word, word);
      view.word.className = word && rest ? "tile-word" : "";
      setText(view.rest, rest);
      view.link.setAttribute("aria-label", `${check.name}: ${check.tone === "ok" ? "OK, " : ""}${line}`);
    }
    if (old?.tone !== check.tone) {
      view.node.setAttribute("data-tone", check.tone);
      if (old && !check.flags.includes("flapping")) pulse(view.node);
    }
    if (!old || follows(old) !== follows(check)) setAttribute(view.node, "data-follows", follows(check) ? "" : null);
    setHidden(view.node, !this.shows(check));
    view.link.check = check;
  }

  makeFilter(item) {
    const node = make("button", "filter");
    node.type = "button";
    node.addEventListener("click", () => {
      if (!this.tones.delete(item.tone)) this.tones.add(item.tone);
      this.draw();
    });
    return { node };
  }

  patchFilter({ node }, item) {
    setAttribute(node, "data-tone", item.tone);
    setText(node, `${item.n} ${item.word}`);
    setAttribute(node, "aria-pressed", String(this.tones.has(item.tone)));
  }

  // ---- more on hover and focus

  showTip(event) {
    const link = event.target.closest?.("a");
    const check = link?.check;
    if (!check || event.pointerType === "touch") return this.hideTip();
    const tip = this.at("tip");
    setText(tip, tipText(check, this.feed.now()));
    setHidden(tip, false);
    const [over, inside] = [link.getBoundingClientRect(), this.root.getBoundingClientRect()];
    const below = over.bottom + 8 + tip.offsetHeight < innerHeight;
    const left = Math.max(0, Math.min(over.left - inside.left, this.root.clientWidth - tip.offsetWidth - 8));
    tip.style.left = `${left}px`;
    tip.style.top = `${(below ? over.bottom + 8 : over.top - 8 - tip.offsetHeight) - inside.top}px`;
  }

  hideTip() {
    setHidden(this.at("tip"), true);
  }
}

function patchSince(view, now) {
  const { sinceMs } = view.item;
  setText(view.since, sinceMs === null ? "" : duration(now - sinceMs));
}

function patchRest({ node, inner }, item) {
  setText(inner, item.overflow ?? titleOf(item));
  if (item.overflow) return;
  setAttribute(node, "data-tone", item.tone);
  setAttribute(node, "data-follows", follows(item) ? "" : null);
  setAttribute(inner, "aria-label", `${titleOf(item)}: ${wordOf(item)}`);
  inner.check = item;
}

function makeCount() {
  const [number, word] = [make("b"), make("span")];
  const node = make("li", "count", number, " ", word);
  node.setAttribute("role", "listitem");
  return { node, number, word };
}

function patchCount(view, item) {
  setAttribute(view.node, "data-tone", item.tone);
  setText(view.number, String(item.n));
  setText(view.word, item.word);
}

// A wall has room for three; the number of the others is said.
function fewNotices(notices) {
  const over = notices.length - 3;
  return over > 0 ? [...notices.slice(0, 3), { key: "more", tone: "warn", text: `+${over} more`, more: [] }] : notices;
}

function makeNotice() {
  const [line, first, summary, more] = [make("p"), make("span", "notice-first"), make("summary"), make("pre")];
  const details = make("details", "", summary, more);
  details.open = true;
  const said = make("span");
  line.append(said, first);
  const node = make("li", "notice", line, details);
  node.setAttribute("role", "listitem");
  return { node, said, first, summary, more, details };
}

function patchNotice(view, notice) {
  setAttribute(view.node, "data-tone", notice.tone);
  setText(view.said, notice.text);
  setText(view.first, notice.more.length ? ` · ${notice.more[0]}` : ""); // on a wall, which has no "more" to open
  setHidden(view.details, !notice.more.length);
  setText(view.summary, `${notice.more.length} more ${notice.more.length === 1 ? "line" : "lines"}`);
  setText(view.more, notice.more.join("\n"));
}
