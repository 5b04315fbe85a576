// A stretch of several tracks in memory, which moves on through the song: loaded at its end, discarded at its start.
const NB_SAMPLES_AT_ONCE = 4096;

export class InputBuffer {
  /** `read(start, count)`: about `count` samples of all tracks, [[left, right], ...]; `start` may be negative. */
  constructor(read, nbTracks, start) {
    Object.assign(this, { read, start, end: start });
    this.tracks = Array.from({ length: nbTracks }, () => [new Float32Array(0), new Float32Array(0)]);
  }

  /** Load the samples before `end`, and perhaps some more. */
  async load(end) {
    while (this.end < end) this.#append(await this.read(this.end, Math.max(NB_SAMPLES_AT_ONCE, end - this.end)));
  }

  /** Forget the samples before `start`. */
  discard(start) {
    const count = Math.min(start, this.end) - this.start;
    if (count < NB_SAMPLES_AT_ONCE) return;
    for (const track of this.tracks) for (const samples of track) samples.copyWithin(0, count, this.end - this.start);
    this.start += count;
  }

  /** A copy of `count` samples from `start` on, [[left, right], ...]. */
  slice(start, count) {
    const from = start - this.start;
    return this.tracks.map((track) => track.map((samples) => samples.slice(from, from + count)));
  }

  #append(more) {
    const held = this.end - this.start;
    this.tracks = this.tracks.map((track, i) => track.map((samples, channel) => joined(samples, held, more[i][channel])));
    this.end += more[0][0].length;
  }
}

function joined(samples, held, more) {
  const needed = held + more.length;
  const all = samples.length >= needed ? samples : new Float32Array(2 * needed);
  if (all !== samples) all.set(samples.subarray(0, held));
  all.set(more, held);
  return all;
}
