// Keeps several media elements in step, as if they were one: they start together, and a small drift is corrected
// by playing a little faster or slower, which nobody hears, a large one by a jump.
const IN_STEP = 0.004; // s, below which nothing is done
const LOST = 0.5; // s, beyond which a jump is better than a nudge
const NUDGE = 0.04; // the largest change of speed
const NUDGE_SECONDS = 0.5; // in which a drift is to be gone
const LOOK_MS = 100;
const SHORTEST_LOOP = 0.2; // s
const END = 0.05; // s, as near to its end as an element is started

export class Transport extends EventTarget {
  #turn = 0; // grows with each start and stop, so that a start that still waits sees that it is no longer wanted
  #target = null; // where a jump leads that is not over yet
  #timer = 0;
  #drifts = new Map(); // element → how far it was behind when last looked at, s

  /** `media`: the elements; `seconds`: how long they are, until they know it themselves. Tells "change" and "time". */
  constructor(media, seconds, desk) {
    super();
    this.desk = desk;
    this.media = media;
    this.seconds = seconds;
    this.playing = false;
    this.loop = null; // { from, to } in seconds
    for (const element of media) this.#listen(element);
  }

  get time() {
    return this.#target ?? this.#leader.currentTime;
  }

  get duration() {
    return Math.max(...this.media.map((element) => element.duration || 0)) || this.seconds;
  }

  play() {
    if (this.time >= this.duration - 2 * END) this.#target = this.loop?.from ?? 0;
    this.playing = true;
    this.#start();
    this.#tell("change");
  }

  pause() {
    this.playing = false;
    this.#hold();
    this.#tell("change");
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** Go to `seconds`, or as near as the song allows. */
  seek(seconds) {
    this.#target = Math.max(0, Math.min(seconds, this.duration - END));
    if (this.loop && !this.#isInLoop(this.#target)) this.repeat(null);
    this.#hold();
    this.#start();
    this.#tell("time");
  }

  /** Play the part from `from` to `to` again and again; null: all of it, once. */
  repeat(from, to) {
    const [start, end] = [Math.max(0, Math.min(from, to)), Math.min(this.duration, Math.max(from, to))];
    this.loop = from === null || end - start < SHORTEST_LOOP ? null : { from: start, to: end };
    if (this.loop && !this.#isInLoop(this.time)) this.seek(start);
    this.#tell("change");
  }

  get #leader() {
    return this.media[0];
  }

  #listen(element) {
    element.addEventListener("error", () => this.#leaveOut(element));
    element.addEventListener("durationchange", () => this.#tell("change"));
    element.addEventListener("waiting", () => this.#waitForAll(element));
    element.addEventListener("ended", () => this.#end(element));
  }

  #isInLoop(seconds) {
    return seconds >= this.loop.from && seconds < this.loop.to;
  }

  /** Let all play at once, as soon as every one of them can. */
  async #start() {
    const turn = ++this.#turn;
    if (this.#target !== null) for (const element of this.media) element.currentTime = this.#target;
    await Promise.all(this.media.map(whenReady));
    if (turn !== this.#turn) return;
    this.#target = null;
    if (!this.playing) return;
    await this.desk.hold(); // while all are woken, so that the first does not run ahead
    await Promise.allSettled(this.media.filter((element) => !isOver(element)).map((element) => element.play()));
    if (turn !== this.#turn) return;
    this.desk.run(); // not waited for: on a machine without a sound card Firefox never says that it runs
    this.#drifts = new Map();
    this.#look();
  }

  #hold() {
    this.#turn += 1;
    clearTimeout(this.#timer);
    for (const element of this.media) element.pause();
  }

  #look() {
    clearTimeout(this.#timer);
    const left = this.loop ? this.loop.to - this.time : Infinity;
    if (left <= 0.005) {
      this.seek(this.loop.from);
    } else {
      this.#correct();
      this.#timer = setTimeout(() => this.#look(), Math.min(LOOK_MS, 1000 * left));
    }
    this.#tell("time");
  }

  /** A single reading can be wrong by a block of samples, so that only what two of them say is believed. */
  #correct() {
    const now = this.#leader.currentTime;
    for (const element of this.media.filter((other) => !other.ended)) {
      const behind = now - element.currentTime;
      const before = this.#drifts.get(element) ?? 0;
      const sure = behind * before > 0 ? Math.sign(behind) * Math.min(Math.abs(behind), Math.abs(before)) : 0;
      this.#drifts.set(element, behind);
      if (Math.abs(sure) > LOST) element.currentTime = now;
      element.playbackRate = Math.abs(sure) < IN_STEP ? 1 : 1 + clamp(sure / NUDGE_SECONDS, NUDGE);
    }
  }

  /** One has nothing to play for a moment: the others wait for it. */
  #waitForAll(element) {
    if (!this.playing || element.paused || element.ended) return;
    this.#target = this.time;
    this.#hold();
    this.#start();
  }

  #end(element) {
    if (element !== this.#leader || !this.playing) return;
    if (this.loop) this.seek(this.loop.from);
    else this.pause();
  }

  #leaveOut(element) {
    this.media = this.media.filter((other) => other !== element);
    this.#tell("change");
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

function clamp(value, limit) {
  return Math.min(limit, Math.max(-limit, value));
}

/** Wait until an element can play on from where it is; its data is fetched from here on, not before. */
function whenReady(element) {
  const events = ["canplay", "seeked", "error"];
  element.preload = "auto";
  return new Promise((resolve) => {
    const look = () => {
      if (!isReady(element)) return;
      for (const event of events) element.removeEventListener(event, look);
      resolve();
    };
    for (const event of events) element.addEventListener(event, look);
    look();
  });
}

/** One that has failed, or is shorter than the others and over, keeps nobody waiting. */
function isReady(element) {
  if (element.error) return true;
  return !element.seeking && (element.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA || isOver(element));
}

function isOver(element) {
  return element.currentTime >= element.duration - END / 2;
}
