// Renders what is heard: the tracks along a timeline, with another tempo and pitch if they are set.
import { InputBuffer } from "./input_buffer.js";
import { Resampler } from "./resampler.js";
import { TimeStretch } from "./time_stretch.js";
import { Timeline } from "./timeline.js";

export class Renderer {
  /**
   * `readers`: the tracks, at `sampleRate`; `position`, `loop` and `nbSamples` as for a Timeline; `tempo`: 1 is the song's
   * own; `semitones`: the transposition.
   */
  constructor(readers, { tempo, semitones, sampleRate, ...place }) {
    this.timeline = new Timeline(readers, { sampleRate, ...place });
    this.length = Math.ceil(this.timeline.length / tempo); // of the output
    this.done = 0; // output samples so far
    const pitch = 2 ** (semitones / 12);
    if (tempo !== 1 || pitch !== 1) this.#stretch(readers.length, tempo, pitch, sampleRate);
  }

  get isDone() {
    return this.done >= this.length;
  }

  /** The next `count` samples of all tracks, [[left, right], ...], fewer at the end, none after it. */
  async next(count) {
    const wanted = Math.min(count, this.length - this.done);
    const tracks = this.stretched ? await this.#nextStretched(wanted) : await this.timeline.read(this.done, wanted);
    this.done += wanted;
    return tracks;
  }

  /** First stretch by pitch / tempo, then resample by pitch: that changes the pitch, and leaves a length of 1 / tempo. */
  #stretch(nbTracks, tempo, pitch, sampleRate) {
    const stretch = new TimeStretch((start, count) => this.timeline.read(start, count), nbTracks, pitch / tempo, sampleRate);
    this.stretched = new InputBuffer(() => stretch.next(), nbTracks, 0);
    this.resampler = pitch === 1 ? null : new Resampler(pitch);
  }

  async #nextStretched(count) {
    const { stretched, resampler, done } = this;
    const { ratio, reach } = resampler ?? { ratio: 1, reach: 0 };
    await stretched.load(Math.ceil((done + count) * ratio) + reach + 1);
    const tracks = resampler
      ? stretched.tracks.map((track) => track.map((samples) => resampler.resample(samples, done * ratio - stretched.start, count)))
      : stretched.slice(done, count);
    stretched.discard(Math.floor((done + count) * ratio) - reach - 1);
    return tracks;
  }
}
