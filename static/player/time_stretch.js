// Time stretching of several tracks that stay in sync: all of them are analysed at the same positions of the input.
import { FFT } from "./fft.js";
import { InputBuffer } from "./input_buffer.js";
import { PhaseVocoder } from "./phase_vocoder.js";
import { TimeMap } from "./time_map.js";

const WINDOW_SECONDS = 0.093; // 4096 samples at 44.1 kHz
const SMALLEST_WINDOW = 64; // samples
const OVERLAP = 4; // windows over each output sample

export class TimeStretch {
  /**
   * `read(start, count)`: samples of the input's tracks, as for an InputBuffer; `ratio`: the length of the output over the
   * length of the input. Output sample 0 corresponds to input sample 0.
   */
  constructor(read, nbTracks, ratio, sampleRate) {
    const size = Math.max(SMALLEST_WINDOW, 2 ** Math.round(Math.log2(WINDOW_SECONDS * sampleRate)));
    const hop = size / OVERLAP;
    const fft = new FFT(size);
    this.size = size;
    this.input = new InputBuffer(read, nbTracks, -2 * size); // the first windows begin before sample 0
    this.map = new TimeMap(this.input, hop / ratio, hop, size, sampleRate);
    this.vocoders = Array.from({ length: nbTracks }, () => new PhaseVocoder(fft, hop));
    this.isPrimed = false;
  }

  /** The next samples of each track, [[left, right], ...]; always the same number of samples. */
  async next() {
    // The first frame is centred on input sample -hop. The first block is complete when OVERLAP frames are added.
    for (let frames = this.isPrimed ? 1 : OVERLAP; frames > 0; frames--) await this.#addFrame();
    this.isPrimed = true;
    return this.vocoders.map((vocoder) => vocoder.take());
  }

  async #addFrame() {
    const { position, isOnset } = await this.map.next();
    const start = Math.round(position) - this.size / 2;
    this.input.discard(start - this.size);
    for (const [i, vocoder] of this.vocoders.entries()) {
      vocoder.add(this.input.tracks[i], start - this.input.start, isOnset);
    }
  }
}
