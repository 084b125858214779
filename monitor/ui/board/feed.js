// The feed.

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
    this.heard = false; // some answer, of whatever kind
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
      this.heard = true;
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

  // How long no answer has brought news, or, before the first, how long none has come at all.
  silentMs() {
    if (this.proof) return performance.now() - this.proof.at + this.slept;
    return this.heard ? 0 : performance.now() - this.startedAt;
  }

  // {state, ageMs, why}; state is "connecting", "live" or "stale".
  news() {
    const waited = performance.now() - this.startedAt;
    if (!this.proof) {
      if (this.answered) return { state: "stale", ageMs: null, why: this.trouble };
      if (waited < TIMEOUT_MS) return { state: "connecting", ageMs: null, why: "" };
      return { state: "stale", ageMs: null, why: this.trouble || "no answer from the server", waited };
    }
    const ageMs = this.proof.ageS * 1000 + this.silentMs();
    const stale = ageMs > this.board.staleAfterS * 1000;
    const why = this.trouble || (stale ? "the checker has stopped: no heartbeat" : "");
    return { state: stale ? "stale" : "live", ageMs, why };
  }
}
