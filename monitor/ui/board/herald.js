// The herald.

const KEPT = "greenwall.announced";
const CHOICES = { notify: "greenwall.notify", sound: "greenwall.sound" };
const NAMED = 3; // more than so many at once are one notification
// Two notes up for trouble, in Hz, with their beginnings in s. What is over makes no sound.
const CHIME = [[660, 0], [880, 0.18]];

// What a browser remembers from one visit to the next; a browser that keeps nothing forgets it with the page.
function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // private windows may refuse
  }
}

// Announces each alert once: a notification of the system, a sound, or both, as whoever stands before the screen chose.
// What was open before this browser looked is no news; what opened while the page was reloaded is.
class Herald {
  constructor(onChange) {
    this.onChange = onChange;
    this.on = { notify: remembered(CHOICES.notify) === "on", sound: remembered(CHOICES.sound) === "on" };
    try {
      this.told = new Map(JSON.parse(remembered(KEPT)));
      this.isFirst = remembered(KEPT) === null;
    } catch {
      this.told = new Map();
      this.isFirst = true;
    }
  }

  get canNotify() {
    return typeof Notification !== "undefined";
  }

  // {pressed, label}: what the button of this choice says.
  said(choice) {
    const word = choice === "notify" ? "Notify" : "Sound";
    if (choice === "notify" && !isSecureContext) return { pressed: false, label: "Notifications need HTTPS", dead: true };
    if (choice === "notify" && !this.canNotify) return { pressed: false, label: "No notifications here", dead: true };
    if (choice === "notify" && Notification.permission === "denied") {
      return { pressed: false, label: "Notifications are blocked by the browser", dead: false };
    }
    if (choice === "sound" && this.on.sound && this.audio?.state === "suspended") {
      return { pressed: true, label: "Sound waits for a click", dead: false };
    }
    return { pressed: this.on[choice], label: `${word} ${this.on[choice] ? "on" : "off"}`, dead: false };
  }

  async turn(choice) {
    const wakes = choice === "sound" && this.on.sound && this.audio?.state === "suspended";
    if (!wakes) this.on[choice] = !this.on[choice];
    if (choice === "notify" && this.on.notify && Notification.permission !== "granted") {
      this.on.notify = (await Notification.requestPermission()) === "granted";
    }
    if (choice === "sound" && this.on.sound) await this.chime();
    remember(CHOICES[choice], this.on[choice] ? "on" : "off");
    this.onChange();
  }

  // Called with each board that is news, in whatever order alerts come and go.
  hear(alerts) {
    const open = new Map(alerts.map((alert) => [alert.id, alert]));
    const fresh = alerts.filter((alert) => !alert.quiet && !this.told.has(alert.id));
    const over = [...this.told].filter(([id]) => !open.has(id)).map(([id, title]) => ({ id, title }));
    if (!this.isFirst && !fresh.length && !over.length) return;
    for (const alert of fresh) this.told.set(alert.id, alert.title);
    for (const { id } of over) this.told.delete(id);
    remember(KEPT, JSON.stringify([...this.told]));
    const isFirst = this.isFirst;
    this.isFirst = false;
    if (isFirst) return;
    if (fresh.length) this.announce(fresh.sort((a, b) => (a.severity < b.severity ? -1 : 1)));
    if (over.length) this.notify(over.map((one) => one.title), "over", over[0].id, true);
  }

  announce(fresh) {
    this.notify(fresh.map((alert) => `${alert.severity} ${alert.title}`), fresh.length > NAMED ? "new alerts" : "", fresh[0].id, false);
    if (this.on.sound) this.chime();
  }

  notify(lines, word, tag, silent) {
    if (!this.on.notify || !this.canNotify || Notification.permission !== "granted") return;
    const more = lines.length > NAMED ? [`and ${lines.length - NAMED} more`] : [];
    const heads = { over: lines.length > 1 ? `${lines.length} are over` : `Over: ${lines[0]}`, "new alerts": `${lines.length} new alerts` };
    const title = heads[word] ?? lines[0];
    const body = [...lines.slice(0, NAMED), ...more].filter((line) => !title.endsWith(line)).join("\n");
    try {
      const shown = new Notification(title, { body, tag: `greenwall-${tag}`, silent });
      shown.onclick = () => window.focus();
    } catch (error) {
      console.error(error); // some phones have notifications from service workers only
    }
  }

  // Browsers let a page sound only after somebody has touched it: until then the button says what it waits for.
  async chime() {
    const Audio = globalThis.AudioContext;
    if (!Audio) return;
    this.audio ??= new Audio();
    const woken = this.audio.state === "suspended" ? this.audio.resume() : null;
    // A browser that refuses leaves the promise open for ever.
    await Promise.race([woken, new Promise((done) => setTimeout(done, 300))]);
    this.onChange();
    if (this.audio.state === "suspended") return;
    for (const [hertz, after] of CHIME) this.tone(hertz, this.audio.currentTime + after);
  }

  tone(hertz, at) {
    const [tone, volume] = [this.audio.createOscillator(), this.audio.createGain()];
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.2, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.4);
    tone.connect(volume).connect(this.audio.destination);
    tone.start(at);
    tone.stop(at + 0.45);
  }
}
