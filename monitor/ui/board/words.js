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
  const doubts = others(DOUBTFUL.filter((each) => each !== tone));
  if (tone) return { tone, text: say(tone), more: [...doubts, ...calm] };
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
