// Reading the payload.

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
    summary: text(raw.summary), ticks: text(raw.ticks).slice(-48), alert: text(raw.alert), takenBy: text(raw.taken_by), untold: text(raw.untold), tags: list(raw.tags).map(text), held: text(raw.held),
    sinceMs: instant(raw.since), checkedMs: instant(raw.checked_at), intervalS: Number(raw.interval_s) || 0, at: text(raw.at),
  };
}

const rank = (check) => Number(/\d+/.exec(check.severity)?.[0] ?? 9);
// What fails because of another stands behind it, and so does what a person has resolved, though it fails; what flaps is
// held back too, and is no consequence.
const follows = (check) => check.tone === "fail" && Boolean(check.held) && !check.flags.includes("flapping");

function worstFirst(a, b) {
  return (
    LOUD.indexOf(a.tone) - LOUD.indexOf(b.tone) || follows(a) - follows(b) || rank(a) - rank(b) || (b.alike ?? 1) - (a.alike ?? 1) ||
    (a.sinceMs ?? Infinity) - (b.sinceMs ?? Infinity) || (a.name < b.name ? -1 : 1)
  );
}

const FOLDED_FROM = 3;
// How long it took differs each time, and says nothing of what is wrong.
const alikeAs = (check) =>
  [check.group, check.tone, check.kind, check.held, check.alert, check.takenBy, check.untold, check.flags, check.message.replace(/\d+(\.\d+)? m?s\b/g, "")].join("\n");

// What fails alike in one group is one trouble: a wall of three hundred times "Connection refused" says less than one card.
function folded(trouble) {
  const sets = new Map();
  for (const check of trouble) {
    const alike = alikeAs(check);
    if (!sets.has(alike)) sets.set(alike, []);
    sets.get(alike).push(check);
  }
  const entries = [...sets].flatMap(([alike, checks]) => {
    // the worst stands for them: it leads the list
    return checks.length < FOLDED_FROM ? checks : [{ ...checks[0], key: `\u0000${alike}`, alike: checks.length }];
  });
  return entries.sort(worstFirst);
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
  const trouble = checks.filter((check) => LOUD.includes(check.tone)).sort(worstFirst);
  return {
    title: text(raw.title) || "Greenwall", zone: text(raw.timezone) || "UTC", nowMs: instant(raw.now),
    staleAfterS: raw.stale_after_s > 0 ? Number(raw.stale_after_s) : 20, checks, counts,
    uptime: raw.uptime && Number.isFinite(raw.uptime.ratio) ? raw.uptime : null,
    notices: list(raw.notices).map((notice, i) => readNotice(notice, i)),
    groups: [...groups].filter(([, members]) => members.length).map(([name, members]) => ({ key: name, name, checks: members })),
    alerts: list(raw.alerts).map(readAlert),
    trouble, folded: folded(trouble),
    doubtful: checks.filter((check) => DOUBTFUL.includes(check.tone)),
  };
}

function readAlert(raw) {
  return { id: text(raw?.id), title: text(raw?.title), severity: text(raw?.severity), quiet: raw?.quiet === true, other: raw?.other === true };
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
    const parts = [check.name, check.group, ...check.tags, check.status, wordOf(check), TONES[check.tone].noun(1), check.held, ...check.flags];
    haystacks.set(check, parts.join("\n").toLowerCase());
  }
  return words.every((word) => haystacks.get(check).includes(word));
}
