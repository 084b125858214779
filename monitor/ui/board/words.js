// Words.

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

// What a check is, for the eye. A status this file does not know is unknown: never green by default. One that flaps is
// not well while it happens to be.
function toneOf(status, flags, stale) {
  if (flags.includes("paused")) return "paused";
  if (flags.includes("maintenance")) return "maintenance";
  if (status === "FAIL") return "fail";
  if (status === "WARN") return "warn";
  if (status !== "OK") return "unknown";
  if (stale) return "stale";
  return flags.includes("flapping") ? "warn" : "ok";
}

function wordOf(check) {
  if (check.tone === "warn" && check.kind === "slow") return "SLOW";
  if (check.tone === "warn" && check.status === "OK") return "FLAPPING";
  if (check.tone === "unknown" && check.kind === "vantage") return "NOT SEEN";
  return TONES[check.tone].word;
}

// One word for all of a tone where they have it in common, such as "slow".
function countedAs(board, tone) {
  const alike = board.checks.filter((check) => check.tone === tone).map(wordOf);
  const own = alike.length && alike[0] !== TONES[tone].word && alike.every((word) => word === alike[0]);
  return own ? alike[0].toLowerCase() : TONES[tone].noun(board.counts[tone]);
}

// Alerts that no card tells: of rules and applications.
const besideChecks = (board) => board.alerts.filter((alert) => alert.other && !alert.quiet);

function besideTone(alerts) {
  if (alerts.some((alert) => ["P1", "P2"].includes(alert.severity))) return "fail";
  return alerts.some((alert) => alert.severity === "P3") ? "warn" : null;
}

// {tone, text, more}: the sentence, and what stands beside it. "All well" takes every check, fresh.
function sentenceOf(board, now) {
  const { counts, checks } = board;
  const say = (tone) => `${counts[tone]} ${countedAs(board, tone)}`;
  const others = (tones) => tones.filter((tone) => counts[tone]).map(say);
  const beside = besideChecks(board);
  if (!checks.length && !beside.length) return { tone: "unknown", text: "No checks yet", more: [] };
  const tone = [...LOUD, ...DOUBTFUL].find((each) => counts[each]);
  if (LOUD.includes(tone)) {
    const lasting = board.trouble.filter((check) => check.tone === tone && check.status !== "OK");
    const held = board.trouble.filter((check) => check.tone === tone && check.held).length;
    const rest = others(LOUD.filter((each) => each !== tone));
    if (held) rest.unshift(`${held} held back`);
    if (beside.length) rest.push(beside.length === 1 ? beside[0].title : `${beside.length} other alerts`);
    if (lasting.length) rest.push(`longest ${duration(now - Math.min(...lasting.map((check) => check.sinceMs ?? now)))}`);
    return { tone, text: say(tone), more: rest };
  }
  const calm = others(["paused", "maintenance"]);
  const told = beside.length === 1 ? beside[0].title : `${beside.length} other alerts`;
  const loud = besideTone(beside);
  if (loud) {
    const well = `${counts.ok} ${counts.ok === 1 ? "check" : "checks"} well`;
    return { tone: loud, text: told, more: [well, ...others(DOUBTFUL), ...calm] };
  }
  if (beside.length) calm.unshift(told);
  const confirming = checks.filter((check) => check.tone === "ok" && check.flags.includes("confirming")).length;
  if (confirming) calm.unshift(`${confirming} being confirmed`);
  const doubts = others(DOUBTFUL.filter((each) => each !== tone));
  if (tone) return { tone, text: say(tone), more: [...doubts, ...calm] };
  if (!counts.ok) return { tone: "paused", text: "Nothing watched", more: calm };
  return { tone: "ok", text: counts.ok === 1 ? "All well" : `All ${counts.ok} well`, more: calm };
}

function tabTitle(board, stale) {
  if (stale) return `STALE · ${board?.title ?? "Greenwall"}`;
  if (!board.checks.length) return board.title;
  const { tone } = sentenceOf(board, 0);
  const count = [...LOUD, ...DOUBTFUL].includes(tone) ? ` ${board.counts[tone] || besideChecks(board).length}` : "";
  return `${TONES[tone].sign}${count} · ${board.title}`.replace(/^([✓⏸]) · /u, "$1 ");
}

function ownerOf(check) {
  const name = check.takenBy;
  if (check.held) return { before: "no alert: ", name: check.held, nobody: false };
  if (check.status === "OK") return { before: "", name: "", nobody: false };
  if (check.flags.includes("acknowledged")) return { before: name ? "acknowledged by " : "acknowledged", name, nobody: false };
  if (name) return { before: "with ", name, nobody: false };
  if (check.alert === "SUPPRESSED") return { before: "suppressed", name: "", nobody: false };
  // A warning opens an alert only where it is wanted, and what was resolved by hand has none either.
  if (!check.alert) return { before: "no alert", name: "", nobody: false };
  // A silence keeps it from whoever could take it.
  if (check.flags.includes("muted")) return { before: "silenced, nobody has it", name: "", nobody: false };
  if (check.untold) return { before: "nobody is told: ", name: check.untold, nobody: false };
  return { before: "nobody has it yet", name: "", nobody: true };
}

function uptimeText({ days, ratio, watched_s }) {
  const whole = watched_s === undefined || watched_s > (days - 1) * 86400;
  return whole ? `uptime ${days} d ${percent(ratio)}` : `uptime ${percent(ratio)} of ${duration(watched_s * 1000)} watched`;
}

const titleOf = (check) => (check.alike ? `${check.alike} in ${check.group}` : check.name);

// {word, rest}: the word stands where there is room for it and it is not said by the rest; its sign always does.
function tileLine(check) {
  const line = [...chipFlags(check), check.tone === "maintenance" || check.tone === "paused" ? "" : check.summary];
  const rest = line.filter(Boolean).join(" · ");
  const said = check.tone === "ok" || check.kind === "vantage" || rest.toLowerCase().includes(wordOf(check).toLowerCase());
  const word = said && rest ? "" : wordOf(check);
  return { word: word && rest ? `${word} · ` : word, rest };
}

const chipFlags = (check) => CHIP_FLAGS.filter((flag) => check.flags.includes(flag));

function tipText(check, now) {
  const checked = check.checkedMs === null ? "not checked yet" : `checked ${duration(now - check.checkedMs)} ago`;
  const since = check.sinceMs === null || ["maintenance", "paused"].includes(check.tone) ? "" : ` for ${duration(now - check.sinceMs)}`;
  const turns = check.at || (check.intervalS ? `every ${duration(check.intervalS * 1000)}` : "");
  const rhythm = turns && `, ${turns}`;
  const owner = LOUD.includes(check.tone) ? ownerOf(check) : null;
  const lines = [
    titleOf(check),
    wordOf(check) + since,
    check.message,
    checked + rhythm + (check.stale ? " (stale)" : ""),
    (owner && owner.before + owner.name) || null,
    [check.severity, ...check.flags, ...check.tags].filter(Boolean).join(" · "),
  ];
  return lines.filter(Boolean).join("\n");
}
