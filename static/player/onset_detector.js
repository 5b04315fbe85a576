// Finds the onsets of sounds: where the energy of the high frequencies rises suddenly. All tracks are added up, so that
// one answer holds for all.
const HOP_SECONDS = 0.0058; // 256 samples at 44.1 kHz
const NB_BEFORE = 8; // hops with whose mean energy a hop is compared
const RISE = 5;
const QUIET = 1e-8; // mean square below which there are no onsets
const NB_KEPT = 256; // hops

export class OnsetDetector {
  constructor(input, sampleRate) {
    this.input = input;
    this.hop = Math.max(8, Math.round(HOP_SECONDS * sampleRate));
    this.nextHop = null; // the first hop that is not analysed yet
    this.energies = [];
    this.onsets = [];
  }

  /** Whether there is an onset between two positions of the input that are loaded already. */
  isIn(from, to) {
    this.#analyse();
    return this.onsets.some((onset) => onset >= from && onset < to);
  }

  #analyse() {
    const { input, hop } = this;
    this.nextHop ??= Math.ceil((input.start + 1) / hop);
    for (; (this.nextHop + 1) * hop <= input.end; this.nextHop++) {
      this.#add(this.nextHop * hop, this.#energy(this.nextHop * hop - input.start));
    }
  }

  #add(position, energy) {
    const before = this.energies.reduce((sum, other) => sum + other, 0) / NB_BEFORE;
    const last = this.onsets.at(-1) ?? -Infinity;
    const isNew = position - last > NB_BEFORE * this.hop;
    if (energy > QUIET && energy > RISE * before && this.energies.length === NB_BEFORE && isNew) this.onsets.push(position);
    this.energies.push(energy);
    if (this.energies.length > NB_BEFORE) this.energies.shift();
    while (this.onsets.length && this.onsets[0] < position - NB_KEPT * this.hop) this.onsets.shift();
  }

  /** The mean square of the difference of successive samples, which weighs high frequencies more. */
  #energy(start) {
    let energy = 0;
    for (let i = start; i < start + this.hop; i++) {
      let difference = 0;
      for (const [left, right] of this.input.tracks) difference += left[i] + right[i] - left[i - 1] - right[i - 1];
      energy += difference * difference;
    }
    return energy / this.hop;
  }
}
