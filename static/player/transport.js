// Plays all tracks from one clock, that of an AudioContext. The worker renders them chunk by chunk; each chunk of each
// track is scheduled at the same sample of the clock, so that the tracks stay in sync to the sample.
import { Desk } from "./desk.js";
import { Rendering } from "./rendering.js";

const NB_CHUNKS_AHEAD = 12; // about 2.3 s
const CONTEXT_RATES = [8000, 96000]; // Hz, that every browser supports; tracks of other rates are resampled
const LEAD_SECONDS = 0.015; // until a chunk that has just arrived can be heard
const SWITCH_SECONDS = 0.06; // ahead of the playhead, a rendering with other settings begins
const SHORTEST_LOOP = 0.1; // s
const SUSPEND_MS = 60; // after a pause, when it has faded out

export class Transport extends EventTarget {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #desk = new Desk();
  #rendering = null; // what is heard
  #next = null; // what will be heard as soon as its first chunk is there: { rendering, position }
  #position = 0; // s, while nothing is heard
  #nbRenderings = 0;
  #audible = []; // by track

  /** `urls`: the tracks. Dispatches "opened", "change", "time" (after a jump), "waiting" and what else the worker tells. */
  constructor(urls, seconds) {
    super();
    Object.assign(this, { duration: seconds, isPlaying: false, loop: null, tempo: 1, semitones: 0, formats: [] });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.postMessage({ type: "open", urls });
  }

  get position() {
    if (this.#next) return this.#next.position;
    return this.#rendering?.positionAt(this.#desk.heardTime) ?? this.#position;
  }

  /** The level of each track, a factor. */
  setLevels(levels) {
    levels.forEach((level, index) => this.#desk.setLevel(index, level));
    const wasAudible = this.#audible;
    this.#audible = levels.map((level) => level > 0);
    if (this.#isStretched && this.#audible.some((isAudible, index) => isAudible && !wasAudible[index])) this.#refresh();
  }

  /** The peak of the last moment of a track, a factor of full scale. */
  peak(index) {
    return this.isPlaying ? this.#desk.peak(index) : 0;
  }

  async play() {
    if (this.position >= this.duration - 0.001) this.#position = this.loop?.from ?? 0;
    this.isPlaying = true;
    this.#tell("change");
    this.#desk.resume(this.#sampleRate);
    this.#render(this.#position);
  }

  pause() {
    const { position } = this;
    this.isPlaying = false;
    this.#stop(position);
    setTimeout(() => this.isPlaying || this.#desk.suspend(), SUSPEND_MS);
    this.#tell("change");
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  /** Jump to `seconds`, within the song. A jump out of the loop ends the loop. */
  seek(seconds) {
    const position = Math.max(0, Math.min(seconds, this.duration));
    if (this.loop && (position < this.loop.from || position >= this.loop.to)) this.#setLoop(null);
    this.#moveTo(position);
    this.#tell("time");
  }

  /** Loop between two positions; null: play the whole song once. Returns false if they are too close to each other. */
  repeat(loop) {
    if (loop) {
      loop = { from: Math.max(0, loop.from), to: Math.min(this.duration, loop.to) };
      if (loop.to - loop.from < SHORTEST_LOOP) return false;
    }
    this.#setLoop(loop);
    const { position } = this;
    if (loop && (position < loop.from || position >= loop.to)) this.#moveTo(loop.from);
    else this.#refresh();
    this.#tell("time");
    return true;
  }

  /** `tempo`: a factor; `semitones`: the transposition. */
  setTempo(tempo, semitones) {
    Object.assign(this, { tempo, semitones });
    this.#refresh();
    this.#tell("change");
  }

  /** Let the worker do something else: see worker.js. It answers with an event. */
  ask(message) {
    this.#worker.postMessage(message);
  }

  get #isStretched() {
    return this.tempo !== 1 || this.semitones !== 0;
  }

  get #sampleRate() {
    const rate = Math.max(0, ...this.formats.map((format) => format?.sampleRate ?? 0));
    return rate >= CONTEXT_RATES[0] && rate <= CONTEXT_RATES[1] ? rate : null;
  }

  #hear(message) {
    if (message.type === "opened") this.#open(message.formats);
    else if (message.type === "chunk") this.#schedule(message);
    else this.#tell(message.type, message);
  }

  #open(formats) {
    this.formats = formats;
    this.duration = Math.max(...formats.map((format) => format?.seconds ?? 0)) || this.duration;
    this.#worker.postMessage({ type: "warm", seconds: this.#position });
    this.#tell("opened");
    if (this.isPlaying) this.play(); // it was started before
  }

  #setLoop(loop) {
    this.loop = loop;
    this.#tell("change");
  }

  #moveTo(position) {
    if (this.isPlaying) this.#render(position);
    else this.#position = position;
  }

  /** Go on with other settings from where the playhead is going to be. */
  #refresh() {
    if (!this.isPlaying) return;
    if (this.#next || !this.#rendering) this.#render(this.position);
    else this.#render(this.#rendering.positionAt(this.#desk.now + SWITCH_SECONDS), this.#desk.now + SWITCH_SECONDS);
  }

  /** Render from `position` on. It is heard from the clock's time `when` on, or as soon as it is there. */
  #render(position, when = 0) {
    if (!this.formats.some(Boolean)) return;
    const { loop, tempo, semitones } = this;
    const id = ++this.#nbRenderings;
    const settings = { position, loop, tempo, semitones, sampleRate: this.#desk.sampleRate };
    this.#next = { rendering: new Rendering(this.#desk, { id, ...settings }, this.duration), position, when };
    this.#worker.postMessage({ type: "render", id, credit: NB_CHUNKS_AHEAD, audible: this.#audible, ...settings });
  }

  #schedule({ id, tracks, isLast }) {
    if (id === this.#next?.rendering.id) this.#begin();
    if (id !== this.#rendering?.id) return;
    const rendering = this.#rendering;
    rendering.schedule(tracks, () => this.#ended(rendering, isLast));
  }

  /** The first chunk is there: what is heard fades out, and the new rendering fades in. */
  #begin() {
    const time = Math.max(this.#next.when, this.#desk.now + LEAD_SECONDS);
    const start = this.#desk.frameAt(time);
    this.#rendering?.stop(time);
    this.#rendering = this.#next.rendering;
    this.#rendering.begin(start);
    this.#next = null;
  }

  /** A chunk has been heard. */
  #ended(rendering, isLast) {
    if (rendering !== this.#rendering) return;
    if (!isLast) this.#worker.postMessage({ type: "more", id: rendering.id });
    else if (!this.#next) this.#finish();
  }

  #finish() {
    this.isPlaying = false;
    this.#stop(this.duration);
    this.#desk.suspend();
    this.#tell("change");
  }

  #stop(position) {
    this.#worker.postMessage({ type: "stop" });
    this.#rendering?.stop(this.#desk.now);
    this.#rendering = this.#next = null;
    this.#position = position;
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
