// The wall: polls one JSON document and keeps one screen true to it.
//
//   Feed        asks the server, and knows how old the news is
//   readBoard   turns the untrusted payload into a board of known shape
//   sentenceOf  says it in words
//   planWall    decides sizes, with numbers only: no DOM
//   BoardView   patches nodes in place, keyed by check name
//
// Everything in the payload is untrusted: it reaches the page as textContent, never as markup.

// ---------------------------------------------------------------- words

// In order of loudness. The signs are drawn by board.css; those here are for the tab title.
const TONES = {
  fail: { sign: "✕", word: "FAIL", noun: () => "failing" },
  warn: { sign: "!", word: "WARN", noun: (n) => (n === 1 ? "warning" : "warnings") },
  unknown: { sign: "?", word: "UNKNOWN", noun: () => "unknown" },
  stale: { sign: "?", word: "STALE", noun: () => "stale" },
  maintenance: { sign: "⏸", word: "MAINTENANCE", noun: () => "in maintenance" },
  paused: { sign: "⏸", word: "PAUSED", noun: () => "paused" },
  ok: { sign: "✓", word: "OK", noun: () => "OK" },
};
const LOUD = ["fail", "warn"];
const DOUBTFUL = ["unknown", "stale"];
const COUNT_ORDER = ["ok", "warn", "fail", "unknown", "stale", "maintenance", "paused"];
const CHIP_FLAGS = ["confirming", "flapping", "muted"];
const NOTICE_TONES = { error: "fail", warn: "warn", info: "maintenance" };
const TICKS = { O: ["ok", 0.55], W: ["slow", 0.8], F: ["failing", 1], U: ["unknown", 0.3] };

// What a check is, for the eye. A status this file does not know is unknown: never green by default.
function toneOf(status, flags, stale) {
  if (flags.includes("paused")) return "paused";
  if (flags.includes("maintenance")) return "maintenance";
  if (status === "FAIL") return "fail";
  if (status === "WARN") return "warn";
  if (status !== "OK") return "unknown";
  return stale ? "stale" : "ok";
}

function wordOf(check) {
  return check.tone === "warn" && check.kind === "slow" ? "SLOW" : TONES[check.tone].word;
}

function countedAs(board, tone) {
  const slow = tone === "warn" && board.checks.every((check) => check.tone !== "warn" || check.kind === "slow");
  return slow ? "slow" : TONES[tone].noun(board.counts[tone]);
}

// {tone, text, more}: the sentence, and what stands beside it. "All well" takes every check, fresh.
function sentenceOf(board, now) {
  const { counts, checks } = board;
  const say = (tone) => `${counts[tone]} ${countedAs(board, tone)}`;
  const others = (tones) => tones.filter((tone) => counts[tone]).map(say);
  if (!checks.length) return { tone: "unknown", text: "No checks yet", more: [] };
  const tone = [...LOUD, ...DOUBTFUL].find((each) => counts[each]);
  if (LOUD.includes(tone)) {
    const longest = Math.min(...board.trouble.filter((check) => check.tone === tone).map((check) => check.sinceMs ?? now));
    const rest = others(LOUD.filter((each) => each !== tone));
    return { tone, text: say(tone), more: [...rest, `longest ${duration(now - longest)}`] };
  }
  const calm = others(["paused", "maintenance"]);
  const confirming = checks.filter((check) => check.tone === "ok" && check.flags.includes("confirming")).length;
  if (confirming) calm.unshift(`${confirming} being confirmed`);
  if (tone) return { tone, text: say(tone), more: [...others(DOUBTFUL.filter((each) => each !== tone)), ...calm] };
  if (!counts.ok) return { tone: "paused", text: "Nothing watched", more: calm };
  return { tone: "ok", text: counts.ok === 1 ? "All well" : `All ${counts.ok} well`, more: calm };
}

function tabTitle(board, stale) {
  if (stale) return `STALE · ${board?.title ?? "Greenwall"}`;
  if (!board.checks.length) return board.title;
  const { tone } = sentenceOf(board, 0);
  const count = [...LOUD, ...DOUBTFUL].includes(tone) ? ` ${board.counts[tone]}` : "";
  return `${TONES[tone].sign}${count} · ${board.title}`.replace(/^([✓⏸]) · /u, "$1 ");
}

function ownerOf(check) {
  const name = check.takenBy;
  if (check.flags.includes("acknowledged")) return { before: name ? "acknowledged by " : "acknowledged", name, nobody: false };
  if (name) return { before: "with ", name, nobody: false };
  return { before: "nobody has it yet", name: "", nobody: true };
}

function tileLine(check) {
  const flags = CHIP_FLAGS.filter((flag) => check.flags.includes(flag));
  const word = check.tone === "ok" ? [] : [wordOf(check)];
  const line = [...word, ...flags, check.tone === "maintenance" || check.tone === "paused" ? "" : check.summary];
  return line.filter(Boolean).join(" · ") || "OK";
}

function tipText(check, now) {
  const checked = check.checkedMs === null ? "not checked yet" : `checked ${duration(now - check.checkedMs)} ago`;
  const since = check.sinceMs === null || ["maintenance", "paused"].includes(check.tone) ? "" : ` for ${duration(now - check.sinceMs)}`;
  const rhythm = check.intervalS ? `, every ${duration(check.intervalS * 1000)}` : "";
  const owner = LOUD.includes(check.tone) ? ownerOf(check) : null;
  const lines = [
    check.name,
    wordOf(check) + since,
    check.message,
    checked + rhythm + (check.stale ? " (stale)" : ""),
    owner && owner.before + owner.name,
    [check.severity, ...check.flags, ...check.tags].filter(Boolean).join(" · "),
  ];
  return lines.filter(Boolean).join("\n");
}

// ---------------------------------------------------------------- time

// Two units at most: "12 m", "3 h 20 m", "2 d 4 h".
function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (big, bigUnit, small, smallUnit) => `${big} ${bigUnit}` + (small ? ` ${small} ${smallUnit}` : "");
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "m");
  return two(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

// While something counts up in front of one's eyes, seconds are worth it past the first minute.
function runningDuration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  return s >= 60 && s < 3600 ? `${Math.floor(s / 60)} m ${s % 60} s` : duration(ms);
}

// Which locale knows a zone's short name differs by zone; one that answers "GMT+5:30" does not know it.
const ZONE_LOCALES = ["en-GB", "en-US", "en-IN", "en-AU", "en-NZ", "en-ZA", "ja-JP", "ko-KR"];
const formatters = new Map();

function formatter(locale, zone, options) {
  const key = locale + zone + JSON.stringify(options);
  if (!formatters.has(key)) {
    let made;
    try {
      made = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone });
    } catch {
      made = new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
    }
    formatters.set(key, made);
  }
  return formatters.get(key);
}

function clockTime(ms, zone) {
  return formatter("en-GB", zone, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(ms);
}

function zoneName(ms, zone) {
  const name = (locale) =>
    formatter(locale, zone, { timeZoneName: "short" }).formatToParts(ms).find((part) => part.type === "timeZoneName")?.value ?? "";
  const names = ZONE_LOCALES.map(name);
  return names.find((each) => /^[A-Z]{2,5}$/.test(each) && each !== "GMT") ?? names[0];
}

function msUntilFour(ms, zone) {
  const [h, m, s] = clockTime(ms, zone).split(":").map(Number);
  const seconds = 4 * 3600 - (h * 3600 + m * 60 + s);
  return (seconds > 0 ? seconds : seconds + 86400) * 1000;
}

// ---------------------------------------------------------------- reading the payload

const text = (value) => (typeof value === "string" ? value : value === null || value === undefined ? "" : String(value));
const list = (value) => (Array.isArray(value) ? value : []);

function instant(value) {
  const ms = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

function readCheck(raw) {
  const flags = list(raw.flags).map(text);
  const stale = raw.stale === true;
  return {
    key: text(raw.name), name: text(raw.name), group: text(raw.group) || "Other", status: text(raw.status), flags, stale,
    tone: toneOf(raw.status, flags, stale), kind: text(raw.kind), severity: text(raw.severity), message: text(raw.message),
    summary: text(raw.summary), ticks: text(raw.ticks).slice(-48), takenBy: text(raw.taken_by), tags: list(raw.tags).map(text),
    sinceMs: instant(raw.since), checkedMs: instant(raw.checked_at), intervalS: Number(raw.interval_s) || 0,
  };
}

const rank = (check) => Number(/\d+/.exec(check.severity)?.[0] ?? 9);

function worstFirst(a, b) {
  return (
    LOUD.indexOf(a.tone) - LOUD.indexOf(b.tone) || rank(a) - rank(b) ||
    (a.sinceMs ?? Infinity) - (b.sinceMs ?? Infinity) || (a.name < b.name ? -1 : 1)
  );
}

// The counts are counted here, from the very tiles on the screen: the sentence cannot disagree with them.
function readBoard(raw) {
  if (!raw || !Array.isArray(raw.checks)) throw new Error("not a board");
  const checks = raw.checks.map(readCheck);
  const seen = new Map();
  const counts = Object.fromEntries(Object.keys(TONES).map((tone) => [tone, 0]));
  const groups = new Map(list(raw.groups).map((name) => [text(name), []]));
  for (const check of checks) {
    const twins = seen.get(check.name) ?? 0;
    seen.set(check.name, twins + 1);
    if (twins) check.key += `\u0000${twins}`; // two checks of one name are shown as two
    counts[check.tone] += 1;
    if (!groups.has(check.group)) groups.set(check.group, []);
    groups.get(check.group).push(check);
  }
  return {
    title: text(raw.title) || "Greenwall", zone: text(raw.timezone) || "UTC", nowMs: instant(raw.now),
    staleAfterS: raw.stale_after_s > 0 ? Number(raw.stale_after_s) : 20, checks, counts,
    uptime: raw.uptime && Number.isFinite(raw.uptime.ratio) ? raw.uptime : null,
    notices: list(raw.notices).map((notice, i) => readNotice(notice, i)),
    groups: [...groups].filter(([, members]) => members.length).map(([name, members]) => ({ key: name, name, checks: members })),
    trouble: checks.filter((check) => LOUD.includes(check.tone)).sort(worstFirst),
    doubtful: checks.filter((check) => DOUBTFUL.includes(check.tone)),
  };
}

function readNotice(raw, i) {
  return { key: i, tone: NOTICE_TONES[raw?.level] ?? "warn", text: text(raw?.text), more: list(raw?.more).map(text) };
}

// Rounded down: 99.996 % is not 100 %.
function percent(ratio) {
  return `${(Math.floor(ratio * 10000) / 100).toFixed(ratio >= 1 ? 0 : 2)} %`;
}

const haystacks = new WeakMap();

function matches(check, words, tones) {
  if (tones.size && !tones.has(check.tone)) return false;
  if (!haystacks.has(check)) {
    const parts = [check.name, check.group, ...check.tags, check.status, wordOf(check), TONES[check.tone].noun(1), ...check.flags];
    haystacks.set(check, parts.join("\n").toLowerCase());
  }
  return words.every((word) => haystacks.get(check).includes(word));
}

// ---------------------------------------------------------------- the plan of a wall, in units

const GAP = 8;
const SECTION_GAP = 24;
const CARD_GAP = 16;
const CARDS = [
  { size: "hero", height: 204, minWidth: 700, most: 1 },
  { size: "large", height: 204, minWidth: 440, most: Infinity },
  { size: "medium", height: 132, minWidth: 340, most: Infinity },
];
const SMALL_CARD = CARDS[2];
const CHIP = { height: 36, minWidth: 200 };
const TILE = { minWidth: 128, maxWidth: 380, minHeight: 28, maxHeight: 168, head: 36, gap: GAP };
const TILE_LINES = { second: 44, third: 84 }; // from this height on a tile has room for its summary, for a long name
const SQUARE = { min: 5, max: 56, comfortable: 14, head: 28, minGroup: 168 };
const MAX_GROUPS_ABREAST = 12;

// Where everything goes on a screen of w x h. Tiles or squares is decided by the number of checks alone as long as the
// trouble fits, so that a wall keeps its shape; trouble gets what the smallest readable form of the rest leaves over.
function planWall(w, h, sizes, troubles, chipsOnly) {
  const tiles = tileBands(sizes, w, TILE.minWidth);
  const tilesNeed = tiles ? bandsHeight(tiles, TILE, TILE.minHeight) : Infinity;
  if (tilesNeed <= h * 0.66) {
    const trouble = planTrouble(w, h - tilesNeed - SECTION_GAP, troubles, 0);
    if (!trouble.crowded || tilesNeed <= h * 0.5) {
      const left = h - (trouble.height ? trouble.height + SECTION_GAP : 0);
      return { ...trouble, body: planTiles(w, left, Math.min(left, h - CARDS[0].height - SECTION_GAP), sizes) };
    }
  }
  const least = squareBands(sizes, w, h * 0.6, SQUARE.comfortable) ?? squareBands(sizes, w, h * 0.6, SQUARE.max);
  const need = least ? bandsHeight(least, least, least.cell) : h * 0.6;
  const trouble = planTrouble(w, Math.min(h - need - SECTION_GAP, h * 0.6), troubles, chipsOnly);
  return { ...trouble, body: planSquares(w, h - (trouble.height ? trouble.height + SECTION_GAP : 0), sizes) };
}

const abreast = (w, { minWidth }, gap) => Math.max(1, Math.floor((w + gap) / (minWidth + gap)));
const stacked = (rows, height, gap) => (rows ? rows * (height + gap) - gap : 0);

// All as large cards, or all as medium ones, or the worst as cards and the others as names ("crowded").
function planTrouble(w, budget, troubles, chipsOnly) {
  const none = { size: null, cards: 0, cardCols: 1, cardHeight: 0, chips: 0, chipCols: 1, height: 0, crowded: false };
  if (!troubles && !chipsOnly) return none;
  const chipCols = abreast(w, CHIP, GAP);
  const chipRows = Math.ceil(chipsOnly / chipCols);
  const chipHeight = (rows) => (rows ? CARD_GAP + stacked(rows, CHIP.height, GAP) : 0);
  for (const card of CARDS.filter((each) => troubles && troubles <= each.most)) {
    const rows = Math.ceil(troubles / abreast(w, card, CARD_GAP));
    const spare = budget - stacked(rows, card.height, CARD_GAP);
    if (spare < 0) continue;
    const shown = Math.min(chipRows, 3, Math.floor((spare - CARD_GAP) / (CHIP.height + GAP)));
    const height = budget - spare + chipHeight(Math.max(0, shown));
    const sized = { size: card.size, cards: troubles, cardCols: Math.ceil(troubles / rows), cardHeight: card.height };
    return { ...sized, chips: Math.max(0, shown) * chipCols, chipCols, height, crowded: false };
  }
  return planCrowd(w, budget, troubles, chipsOnly, chipCols);
}

function planCrowd(w, budget, troubles, chipsOnly, chipCols) {
  const card = SMALL_CARD;
  const cardCols = abreast(w, card, CARD_GAP);
  const most = Math.floor((budget - CHIP.height) / (card.height + CARD_GAP));
  for (let rows = Math.max(0, most); ; rows--) {
    const cards = Math.min(troubles, rows * cardCols);
    const room = budget - rows * (card.height + CARD_GAP);
    const needRows = Math.ceil((troubles - cards + chipsOnly) / chipCols);
    const chipRows = Math.max(1, Math.min(needRows, Math.floor((room + GAP) / (CHIP.height + GAP))));
    if (chipRows < needRows && rows > 2) continue;
    const height = rows * (card.height + CARD_GAP) + stacked(chipRows, CHIP.height, GAP);
    return { size: card.size, cards, cardCols, cardHeight: card.height, chips: chipRows * chipCols, chipCols, height, crowded: true };
  }
}

// Groups are laid like words in lines: each is a block of `rows` rows, several blocks stand side by side in a band.
// Least height wins. {bands: [{from, to, rows, cols}]}, or null when a group cannot fit the width.
function layBands(sizes, w, cell, gap, minCols, headRows) {
  const widthOf = (cols, groups) => cols * (cell + gap) - groups * gap + (groups - 1) * SECTION_GAP;
  const best = [{ cost: 0, band: null }];
  for (let to = 1; to <= sizes.length; to++) {
    for (let from = to - 1; from >= Math.max(0, to - MAX_GROUPS_ABREAST); from--) {
      const band = layBand(sizes, from, to, (cols) => widthOf(cols, to - from) <= w, minCols);
      if (!band || !best[from]) continue;
      // a little more for many abreast: of two layouts of one height the even one is calmer
      const cost = best[from].cost + band.rows + headRows + 0.01 * (to - from) ** 2;
      if (!best[to] || cost < best[to].cost) best[to] = { cost, band };
    }
  }
  if (!best[sizes.length]) return null;
  const bands = [];
  for (let to = sizes.length; to > 0; to = bands[0].from) bands.unshift(best[to].band);
  return bands;
}

function layBand(sizes, from, to, fits, minCols) {
  const members = sizes.slice(from, to);
  const largest = Math.max(...members);
  if (!fits(members.length * minCols)) return null;
  for (let rows = 1; rows <= largest; rows++) {
    const cols = members.map((n) => Math.max(minCols, Math.ceil(n / rows)));
    if (fits(cols.reduce((sum, n) => sum + n, 0))) return { from, to, rows, cols };
  }
  return null;
}

function bandsHeight({ bands }, { head, gap }, cellHeight) {
  const rows = bands.map((band) => head + stacked(band.rows, cellHeight, gap));
  return rows.reduce((sum, height) => sum + height, 0) + (bands.length - 1) * CARD_GAP;
}

function tileBands(sizes, w, width) {
  const bands = sizes.length ? layBands(sizes, w, width, GAP, 1, 0.7) : null;
  return bands && { bands };
}

// The largest tile that fits `nominal`, the height there usually is, so that a new card makes tiles flatter, not other.
function planTiles(w, h, nominal, sizes) {
  let best = null;
  for (let width = TILE.maxWidth; width >= TILE.minWidth; width -= 8) {
    const laid = tileBands(sizes, w, width);
    if (!laid) continue;
    const height = tileHeight(laid, nominal, width);
    const score = Math.min(width / 2.4, height);
    if (height >= TILE.minHeight && (!best || score > best.score)) best = { ...laid, width, score };
  }
  best ??= { ...tileBands(sizes, w, TILE.minWidth), width: TILE.minWidth };
  const height = tileHeight(best, h, best.width);
  return placeBands(best.bands, w, { ...TILE, kind: "tiles", width: best.width, height, stretch: 1.65 });
}

function tileHeight(laid, h, width) {
  const rows = laid.bands.reduce((sum, band) => sum + band.rows, 0);
  return Math.floor(Math.min(TILE.maxHeight, width * 0.62, (h - bandsHeight(laid, TILE, 0)) / rows));
}

const squareGap = (cell) => Math.max(1, Math.round(cell * 0.14));

function squareBands(sizes, w, h, largest) {
  for (let cell = largest; cell >= SQUARE.min; cell--) {
    const gap = squareGap(cell);
    const bands = layBands(sizes, w, cell, gap, Math.ceil((SQUARE.minGroup + gap) / (cell + gap)), 1);
    const laid = bands && { bands, cell, gap, head: SQUARE.head };
    if (laid && bandsHeight(laid, laid, cell) <= h) return laid;
  }
  return null;
}

// Hundreds of groups leave no room for headings: then one field of squares, in the same order.
function planSquares(w, h, sizes) {
  const laid = squareBands(sizes, w, h, SQUARE.max);
  if (laid) return placeBands(laid.bands, w, { ...laid, kind: "squares", width: laid.cell, height: laid.cell, stretch: 1.3 });
  const total = sizes.reduce((sum, n) => sum + n, 0);
  let cell = SQUARE.max;
  while (cell > 2 && Math.floor((w + 2) / (cell + 2)) * Math.floor((h + 2) / (cell + 2)) < total) cell--;
  return { kind: "bare", width: cell, height: cell, gap: 2, head: 0, groups: [] };
}

function placeBands(bands, w, cell) {
  const groups = [];
  let y = 0;
  for (const band of bands) {
    const cols = band.cols.reduce((sum, n) => sum + n, 0);
    const gaps = (cols - band.cols.length) * cell.gap + (band.cols.length - 1) * SECTION_GAP;
    const width = Math.max(cell.width, Math.min((w - gaps) / cols, cell.width * cell.stretch));
    let x = 0;
    for (const n of band.cols) {
      const groupWidth = n * (width + cell.gap) - cell.gap;
      groups.push({ x, y, cols: n, tileWidth: width, width: groupWidth });
      x += groupWidth + SECTION_GAP;
    }
    y += cell.head + stacked(band.rows, cell.height, cell.gap) + CARD_GAP;
  }
  return { kind: cell.kind, width: cell.width, height: cell.height, gap: cell.gap, head: cell.head, groups };
}

// ---------------------------------------------------------------- the feed

const TIMEOUT_MS = 5000;
const AGE_HEADER = "Greenwall-Heartbeat-Age";

// Polls the server and knows how old the news is. The age is the server's own (seconds since the checker's heartbeat, at
// the answer) plus what has passed here since the question was put, by a clock that nobody can set: so it can be too old
// by the length of one answer, never too young, and a wrong clock on this machine does not matter.
class Feed {
  constructor(onAnswer) {
    this.onAnswer = onAnswer;
    this.startedAt = performance.now();
    this.proof = null; // {at, ageS} of the last answer that said how old it is
    this.answered = false;
    this.trouble = "";
    this.serverOffset = null;
    this.slept = 0;
    this.lastLook = null;
  }

  configure(url, everyS) {
    if (url !== this.url) this.etag = null;
    this.url = url;
    this.everyMs = Math.max(200, (Number(everyS) || 2) * 1000);
  }

  start() {
    this.running = true;
    this.loop();
  }

  stop() {
    this.running = false;
    clearTimeout(this.timer);
    this.abort?.abort();
  }

  async loop() {
    clearTimeout(this.timer);
    await this.ask();
    if (this.running) this.timer = setTimeout(() => this.loop(), this.everyMs);
  }

  async ask() {
    if (this.asking) return;
    this.asking = true;
    this.abort = new AbortController();
    const timeout = setTimeout(() => this.abort.abort(), TIMEOUT_MS);
    const askedAt = performance.now();
    const before = this.proof;
    try {
      const headers = this.etag ? { "If-None-Match": this.etag } : {};
      const answer = await fetch(this.url, { headers, cache: "no-store", credentials: "same-origin", signal: this.abort.signal });
      this.trouble = await this.take(answer, askedAt);
    } catch {
      this.trouble = "no answer from the server";
    } finally {
      clearTimeout(timeout);
      this.asking = false;
    }
    if (this.running) this.hand(before);
  }

  // An answer that could not be drawn is not news either: the screen still shows what was there before it.
  hand(proofBefore) {
    try {
      this.onAnswer();
    } catch (error) {
      console.error(error);
      this.trouble = "the answer cannot be drawn";
      this.etag = null;
      this.proof = proofBefore;
    }
  }

  // What is wrong with the answer, or "". Only an answer that can be read counts as news.
  async take(answer, askedAt) {
    if (answer.status === 401 || answer.status === 403) return `the server refuses to show the board (${answer.status})`;
    if (answer.status !== 200 && answer.status !== 304) return `the server answers ${answer.status}`;
    if (answer.status === 304 && !this.etag) return "the server answers 304 to a first question";
    if (answer.status === 200) {
      const body = await answer.text();
      if (!this.running) return "";
      try {
        this.board = readBoard(JSON.parse(body));
      } catch {
        return "the server's answer cannot be read";
      }
      this.etag = answer.headers.get("ETag");
    }
    this.answered = true;
    this.setServerClock(answer, askedAt);
    const age = answer.headers.get(AGE_HEADER);
    if (age === null || age.trim() === "" || !(Number(age) >= 0)) return "the server does not say when checks last ran";
    this.proof = { at: askedAt, ageS: Number(age) };
    this.slept = 0;
    return "";
  }

  // The Date header is cut to the second and older than its arrival, so of many answers the latest time is the best.
  setServerClock(answer, askedAt) {
    const said = Date.parse(answer.headers.get("Date") ?? "") || (answer.status === 200 && this.board.nowMs);
    if (!said) return;
    const offset = said - performance.now();
    const stepped = this.serverOffset !== null && this.serverOffset - offset > 3000 + performance.now() - askedAt;
    this.serverOffset = this.serverOffset === null || stepped ? offset : Math.max(this.serverOffset, offset);
  }

  now() {
    return this.serverOffset === null ? Date.now() : performance.now() + this.serverOffset;
  }

  // performance.now() stands still in some browsers while a computer sleeps. A gap between it and the calendar is counted
  // as age until the next answer settles it; that answer is asked for at once.
  noticeSleep() {
    const look = { steady: performance.now(), calendar: Date.now() };
    const gap = this.lastLook ? look.calendar - this.lastLook.calendar - (look.steady - this.lastLook.steady) : 0;
    this.lastLook = look;
    if (gap < 5000) return;
    this.slept += gap;
    if (!this.asking) this.loop();
  }

  // {state, ageMs, why}; state is "connecting", "live" or "stale".
  news() {
    const waited = performance.now() - this.startedAt;
    if (!this.proof) {
      if (this.answered) return { state: "stale", ageMs: null, why: this.trouble };
      if (waited < TIMEOUT_MS) return { state: "connecting", ageMs: null, why: "" };
      return { state: "stale", ageMs: null, why: this.trouble || "no answer from the server", waited };
    }
    const ageMs = this.proof.ageS * 1000 + (performance.now() - this.proof.at) + this.slept;
    const stale = ageMs > this.board.staleAfterS * 1000;
    return { state: stale ? "stale" : "live", ageMs, why: this.trouble || (stale ? "the checker has stopped: no heartbeat" : "") };
  }
}

// ---------------------------------------------------------------- nodes

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

const ICON_COLORS = { fail: "#d92d35", warn: "#e0a11b", unknown: "#7c8a97", stale: "#7c8a97", ok: "#1f9d68", maintenance: "#2b65d9", paused: "#7c8a97" };
const ICON_PATHS = {
  fail: "M20 20L44 44M44 20L20 44", warn: "M32 14V36M32 47V49", ok: "M17 33L28 44L48 21", maintenance: "M24 19V45M40 19V45",
  paused: "M24 19V45M40 19V45", unknown: "M23 24C23 12 41 12 41 24C41 31 32 31 32 38M32 48V50", stale: "M23 24C23 12 41 12 41 24C41 31 32 31 32 38M32 48V50",
};

function iconUrl(tone) {
  const shape = tone === "fail" ? `<circle cx="32" cy="32" r="31" fill="${ICON_COLORS[tone]}"/>` : `<rect x="2" y="2" width="60" height="60" rx="14" fill="${ICON_COLORS[tone]}"/>`;
  const stroke = `fill="none" stroke="#fff" stroke-width="9" stroke-linecap="round" stroke-linejoin="round"`;
  const svg = `<svg xmlns="${SVG}" viewBox="0 0 64 64">${shape}<path d="${ICON_PATHS[tone]}" ${stroke}/></svg>`;
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

// ---------------------------------------------------------------- the view

const PAGE_CARDS = 24;
const PAGE_CHIPS = 240;
const RELOAD_JITTER_MS = 15 * 60 * 1000;

class BoardView {
  constructor(parent) {
    this.root = parent.querySelector(".board");
    this.tones = new Set();
    this.words = [];
    this.tab = new Tab();
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
    this.data = { every_s: 2, wall: false, url: "/api/board", check_url: "check?name=", theme: null, ...data };
    this.feed.configure(this.data.url, this.data.every_s);
    this.planned = null;
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
    if (this.feed.board && this.feed.board !== this.board) this.board = this.feed.board;
    if (this.drawn === this.board) this.tick();
    else this.draw();
  }

  draw() {
    const board = this.board;
    if (board) {
      this.notices.draw(this.data.wall ? fewNotices(board.notices) : board.notices);
      const counted = COUNT_ORDER.filter((tone) => board.counts[tone]).map((tone) => ({ key: tone, tone, n: board.counts[tone], word: countedAs(board, tone) }));
      this.counts.draw(counted);
      this.filters.draw(counted);
      setHidden(this.at("tools"), !board.checks.length);
      const shows = this.data.wall ? () => true : (check) => matches(check, this.words, this.tones);
      this.shows = shows;
      this.groups.draw(board.groups);
      this.trouble = board.trouble.filter(shows);
      this.drawEmpty(board, board.checks.some(shows));
    }
    this.tick();
    this.layout(true);
    this.drawn = board;
  }

  drawEmpty(board, any) {
    const none = !board.checks.length;
    setHidden(this.at("empty"), any);
    setHidden(this.at("empty-clear"), none);
    const asked = this.words.join(" ");
    const nothing = asked ? `Nothing matches “${asked}”.` : "No check has this status.";
    setText(this.at("empty-text"), none ? "Add the first one to the configuration; it appears here by itself." : nothing);
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
      setText(this.at("band-seen"), news.ageMs === null ? "" : `last heard of at ${clockTime(now - news.ageMs, this.board.zone)} ${zoneName(now, this.board.zone)}`);
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
    else if (uptime && news.state === "live") parts.push(`uptime ${uptime.days} d ${percent(uptime.ratio)}`);
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
    const wanted = [w, h, u, sizes, board.trouble.length, board.doubtful.length].join();
    if (this.planned !== wanted) {
      this.planned = wanted;
      this.plan = planWall(w, h, sizes, board.trouble.length, board.doubtful.length);
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
      set(node, "--cols", place.cols);
      set(node, "--tile-width", px(place.tileWidth));
    });
  }

  clearPlan() {
    for (const name of ["data-cards", "data-squares", "data-narrow", "data-lines"]) this.root.removeAttribute(name);
    for (const node of [this.root, this.at("groups"), ...[...this.groups.views.values()].map((view) => view.node)]) node.removeAttribute("style");
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
    const parts = { sign: make("i", "sign"), name: make("b", "card-name"), flags: make("span"), severity: make("span", "severity") };
    const foot = { state: make("span"), since: make("b"), owner: make("span", "owner"), before: make("span"), who: make("b") };
    const ticks = makeTicks();
    const message = make("p", "card-message");
    parts.sign.setAttribute("aria-hidden", "true");
    foot.owner.append(foot.before, foot.who);
    const top = make("div", "card-top", parts.sign, parts.name, parts.flags, parts.severity);
    parts.flags.style.display = "contents";
    const bottom = make("div", "card-foot", make("span", "since", foot.state, foot.since), foot.owner);
    const link = makeLink(this.data.check_url, check, top, message, ticks.svg, bottom);
    const node = make("li", "card", link);
    node.setAttribute("role", "listitem");
    return { node, link, ...parts, ...foot, ticks, message, item: null };
  }

  patchCard(view, check) {
    setAttribute(view.node, "data-tone", check.tone);
    setText(view.name, check.name);
    setText(view.severity, check.severity);
    setHidden(view.severity, !check.severity);
    setText(view.message, check.message);
    const flags = [...CHIP_FLAGS.filter((flag) => check.flags.includes(flag)), ...(check.stale ? ["stale"] : [])];
    if (view.flags.childElementCount !== flags.length || view.flags.textContent !== flags.join("")) {
      view.flags.replaceChildren(...flags.map((flag) => make("span", "chip-flag", flag)));
    }
    if (view.item?.ticks !== check.ticks) patchTicks(view.ticks, check.ticks);
    const owner = ownerOf(check);
    setText(view.before, owner.before);
    setText(view.who, owner.name);
    setAttribute(view.owner, "data-nobody", owner.nobody ? "" : null);
    setText(view.state, { FAIL: "failing", SLOW: "slow", WARN: "warning" }[wordOf(check)] + (check.sinceMs === null ? "" : " for "));
    if (view.item && view.item.tone !== check.tone) pulse(view.node);
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
    const well = make("span", "group-well");
    const tiles = make("ul", "tiles");
    tiles.setAttribute("role", "list");
    const node = make("section", "group", make("div", "group-head", name, well), tiles);
    return { node, name, well, tiles: new KeyedList(tiles, (check) => this.makeTile(check), (view, check) => this.patchTile(view, check)) };
  }

  patchGroup(view, group) {
    const well = group.checks.filter((check) => check.tone === "ok").length;
    setText(view.name, group.name);
    setText(view.well, `${well} of ${group.checks.length} well`);
    setAttribute(view.tiles.parent, "aria-label", group.name);
    view.tiles.draw(group.checks);
    setHidden(view.node, !group.checks.some(this.shows));
  }

  makeTile(check) {
    const [name, line] = [make("b", "tile-name"), make("span", "tile-line")];
    const link = makeLink(this.data.check_url, check, name, line);
    const node = make("li", "tile", link);
    node.setAttribute("role", "listitem");
    return { node, link, name, line };
  }

  patchTile(view, check) {
    const old = view.item;
    const line = tileLine(check);
    if (!old) setText(view.name, check.name);
    if (view.said !== line || old?.tone !== check.tone) {
      view.said = line;
      setText(view.line, line);
      view.link.setAttribute("aria-label", `${check.name}: ${check.tone === "ok" ? "OK, " : ""}${line}`);
    }
    if (old?.tone !== check.tone) {
      view.node.setAttribute("data-tone", check.tone);
      if (old) pulse(view.node);
    }
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
  setText(inner, item.overflow ?? item.name);
  if (item.overflow) return;
  setAttribute(node, "data-tone", item.tone);
  setAttribute(inner, "aria-label", `${item.name}: ${wordOf(item)}`);
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

// ---------------------------------------------------------------- the component

const views = new WeakMap();

// Called on every run of the page with the same parent: one view per parent, told the news. A clean-up that belongs to
// an earlier call must not stop the view a later call relies on.
export default function (component) {
  const { parentElement: parent, data } = component;
  let view = views.get(parent);
  if (!view || !view.root.isConnected || view.stopping.signal.aborted) {
    view?.stop();
    view = new BoardView(parent);
    views.set(parent, view);
  }
  const turn = {};
  view.turn = turn;
  view.configure(data ?? {});
  return () => {
    if (view.turn === turn) view.stop();
  };
}
