// The positions in the input at which a time stretch places its windows. Around the onset of a sound, the input advances
// as fast as the output, so that the attack is neither doubled nor smeared. Before it, the input is held back or hurried
// so that the attack comes at its time; after it, the input catches up.
import { OnsetDetector } from "./onset_detector.js";

const LARGEST_DRIFT_SECONDS = 0.06; // from the position that the tempo demands
const CATCH_UP = 0.25; // of the input's hop

export class TimeMap {
  /** `inputHop`: how far the input advances, on average, while the output advances by `outputHop`. */
  constructor(input, inputHop, outputHop, windowSize, sampleRate) {
    Object.assign(this, { input, inputHop, outputHop, windowSize });
    this.largestDrift = LARGEST_DRIFT_SECONDS * sampleRate;
    // Where the input is to be, compared with the tempo, when an onset enters the window half a window ahead
    this.driftBefore = (windowSize / 2) * (inputHop / outputHop - 1);
    this.onsets = new OnsetDetector(input, sampleRate);
    this.nominal = -2 * inputHop;
    this.position = this.nominal;
  }

  /** The centre of the next window, and whether a sound begins within it. */
  async next() {
    const { windowSize, onsets } = this;
    this.nominal += this.inputHop;
    const locked = this.position + this.outputHop;
    await this.input.load(Math.ceil(Math.max(locked, this.position + 2 * this.inputHop) + 1.5 * windowSize));
    const hasRoom = Math.abs(locked - this.nominal) <= this.largestDrift;
    const isOnset = hasRoom && onsets.isIn(locked - windowSize / 4, locked + windowSize / 2);
    const isNear = onsets.isIn(locked + windowSize / 2, locked + 1.5 * windowSize);
    this.position = isOnset ? locked : this.#approach(isNear ? this.driftBefore : 0);
    return { position: this.position, isOnset };
  }

  /** The next position if the drift from the nominal position is to become `drift`. */
  #approach(drift) {
    const next = this.position + this.inputHop;
    const most = CATCH_UP * this.inputHop;
    return next + Math.min(most, Math.max(-most, this.nominal + drift - next));
  }
}
