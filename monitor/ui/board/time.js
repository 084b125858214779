// Time.

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
    formatter(locale, zone, { timeZoneName: "short" }).formatToParts(ms).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const names = ZONE_LOCALES.map(name);
  return names.find((each) => /^[A-Z]{2,5}$/.test(each) && each !== "GMT") ?? names[0];
}

function msUntilFour(ms, zone) {
  const [h, m, s] = clockTime(ms, zone).split(":").map(Number);
  const seconds = 4 * 3600 - (h * 3600 + m * 60 + s);
  return (seconds > 0 ? seconds : seconds + 86400) * 1000;
}
