// One uninterrupted stretch of sound: it begins at a sample of the clock, and each chunk follows the last one exactly.
const FADE_SECONDS = 0.01; // at its start and at its end
const LATE_SECONDS = 0.02; // from now on, a chunk that is late is heard

export class Rendering {
  #sources = new Set();
  #faders = new Map(); // by track
  #frames = 0; // scheduled so far

  /** `settings`: those that the worker renders with, and `id`. `duration`: of the song, s. */
  constructor(desk, { id, position, loop, tempo }, duration) {
    Object.assign(this, { desk, id, position, loop, tempo, duration, start: null });
  }

  /** Begin at the sample `start` of the clock. */
  begin(start) {
    this.start = start;
  }

  /** Schedule the next chunk of all tracks. `onEnd` is called when it has been heard. */
  schedule(tracks, onEnd) {
    this.#catchUp();
    const when = this.#time(this.start + this.#frames);
    const sources = tracks.map((track, index) => track && this.#source(index, track, when)).filter(Boolean);
    this.#frames += tracks.find(Boolean)[0].length;
    sources[0].addEventListener("ended", onEnd);
  }

  /** Fade out from the clock's `time` on. */
  stop(time) {
    for (const fader of this.#faders.values()) {
      fader.gain.setValueAtTime(1, time);
      fader.gain.linearRampToValueAtTime(0, time + FADE_SECONDS);
    }
    for (const source of this.#sources) source.stop(time + FADE_SECONDS);
  }

  /** The position in the song that is heard at a time of the clock, s. */
  positionAt(time) {
    if (this.start === null) return this.position;
    const elapsed = Math.min(Math.max(0, time - this.#time(this.start)), this.#time(this.#frames));
    const position = this.position + elapsed * this.tempo;
    const { loop } = this;
    if (!loop || position < loop.to) return Math.min(position, this.duration);
    return loop.from + ((position - loop.from) % (loop.to - loop.from));
  }

  #time(frame) {
    return frame / this.desk.sampleRate;
  }

  /** The sound has stopped because the chunk is late: everything that follows is later by as much. */
  #catchUp() {
    const earliest = this.desk.frameAt(this.desk.now + LATE_SECONDS);
    if (this.#frames > 0 && this.start + this.#frames < this.desk.frameAt(this.desk.now)) this.start = earliest - this.#frames;
  }

  #source(index, track, when) {
    const source = this.desk.source(track, this.#fader(index));
    this.#sources.add(source);
    source.addEventListener("ended", () => this.#sources.delete(source));
    source.start(when);
    return source;
  }

  #fader(index) {
    if (!this.#faders.has(index)) {
      const fader = this.desk.fader(index);
      const start = this.#time(this.start);
      fader.gain.setValueAtTime(0, start);
      fader.gain.linearRampToValueAtTime(1, start + FADE_SECONDS);
      this.#faders.set(index, fader);
    }
    return this.#faders.get(index);
  }
}
