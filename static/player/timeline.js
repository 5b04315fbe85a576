// What is played, in order: the song from a position to its end, or into a loop that is repeated for ever.
// The join of a loop is a short crossfade with what comes before the loop's start, so that it does not click.
const FADE_SECONDS = 0.01;

export class Timeline {
  /**
   * `readers`: the tracks, each with `read(start, count)`; `position`, `loop` ({ from, to } or null) and `nbSamples`, the
   * length of the song, in samples. Position 0 of the timeline is `position` of the song.
   */
  constructor(readers, { position, loop, nbSamples, sampleRate }) {
    const isIn = loop && position < loop.to;
    Object.assign(this, { readers, position, loop: isIn ? loop : null });
    this.length = isIn ? Infinity : Math.max(0, nbSamples - position);
    this.fade = isIn ? Math.min(Math.round(FADE_SECONDS * sampleRate), (loop.to - loop.from) >> 2) : 0;
  }

  /** `count` samples of all tracks from `start` on, [[left, right], ...]. */
  async read(start, count) {
    const parts = [];
    for (let done = 0; done < count; ) {
      const place = this.#place(start + done);
      const length = this.loop ? Math.min(count - done, this.loop.to - place) : count - done;
      parts.push(await this.#readPart(place, length));
      done += length;
    }
    return parts.length === 1 ? parts[0] : parts[0].map((_, track) => concatenated(parts.map((part) => part[track])));
  }

  /** The position in the song of a sample of the timeline. */
  #place(sample) {
    const place = this.position + sample;
    if (!this.loop || place < this.loop.to) return place;
    return this.loop.from + ((place - this.loop.from) % (this.loop.to - this.loop.from));
  }

  async #readPart(place, length) {
    const tracks = await readAll(this.readers, place, length);
    const first = Math.max(place, (this.loop?.to ?? Infinity) - this.fade);
    if (first >= place + length || this.fade === 0) return tracks;
    const count = place + length - first;
    const before = await readAll(this.readers, first - (this.loop.to - this.loop.from), count);
    tracks.forEach((track, i) => this.#crossfade(track, before[i], first, first - place));
    return tracks;
  }

  #crossfade(track, before, place, offset) {
    track.forEach((samples, channel) => {
      for (let i = 0; i < before[channel].length; i++) {
        const weight = (place + i + 1 - (this.loop.to - this.fade)) / (this.fade + 1);
        samples[offset + i] += weight * (before[channel][i] - samples[offset + i]);
      }
    });
  }
}

function readAll(readers, start, count) {
  return Promise.all(readers.map((reader) => reader.read(start, count)));
}

function concatenated(tracks) {
  return tracks[0].map((_, channel) => {
    const parts = tracks.map((track) => track[channel]);
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      all.set(part, offset);
      offset += part.length;
    }
    return all;
  });
}
