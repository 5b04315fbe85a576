// Resampling by interpolation with a windowed sinc (Smith, 1984): band-limited, at any ratio, from any position.
const NB_ZEROS = 16; // zero crossings of the sinc on each side
const NB_PHASES = 512; // tabulated values between two of them, interpolated linearly
const ROLLOFF = 0.94; // of half the lower sample rate: where the filter begins to cut

export class Resampler {
  /** `ratio`: the distance between two output samples, in input samples. */
  constructor(ratio) {
    this.ratio = ratio;
    this.scale = ROLLOFF * Math.min(1, 1 / ratio); // the cutoff over half the input's sample rate
    this.step = this.scale * NB_PHASES; // entries of the table between two input samples
    this.reach = Math.ceil(NB_ZEROS / this.scale); // input samples needed on each side
    this.table = Float64Array.from({ length: Math.ceil(this.reach * this.step) + 2 }, (_, i) => kernel(i / NB_PHASES));
  }

  /** `count` samples of `input`, the first at `position`; the input must have `reach` samples on each side. */
  resample(input, position, count) {
    const output = new Float32Array(count);
    for (let i = 0; i < count; i++) output[i] = this.#valueAt(input, position + i * this.ratio);
    return output;
  }

  #valueAt(input, position) {
    const { table, step, reach } = this;
    const first = Math.max(0, Math.ceil(position - reach));
    const last = Math.min(input.length - 1, Math.floor(position + reach));
    let sum = 0;
    for (let i = first; i <= last; i++) {
      const place = Math.abs(position - i) * step;
      const index = place | 0;
      sum += input[i] * (table[index] + (place - index) * (table[index + 1] - table[index]));
    }
    return sum * this.scale;
  }
}

/** A sinc under a Blackman window. */
function kernel(x) {
  if (x >= NB_ZEROS) return 0;
  const angle = (Math.PI * x) / NB_ZEROS;
  const window = 0.42 + 0.5 * Math.cos(angle) + 0.08 * Math.cos(2 * angle);
  return x === 0 ? 1 : (window * Math.sin(Math.PI * x)) / (Math.PI * x);
}
