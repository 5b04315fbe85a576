// A phase vocoder for one stereo track, with identity phase locking (Laroche and Dolson, 1999). The phase of each
// spectral peak continues the last output frame by the phase advance that the input has over the same hop, so that no
// phase has to be unwrapped (Puckette, 1995). The bins around a peak keep their phases relative to it.
// Left and right are the real and the imaginary part of one complex signal: one transform does for both.
const RISE = 2; // of a peak's power during an onset; beyond it, the peak is a new sound and keeps its phase
const TINY = 1e-30;

export class PhaseVocoder {
  constructor(fft, hop) {
    const { size } = fft;
    Object.assign(this, { fft, hop, size, isFirst: true });
    this.window = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
    this.gain = hop / (size * this.window.reduce((sum, weight) => sum + weight * weight, 0));
    this.now = spectrum(size);
    this.before = spectrum(size); // one hop before `now`, in the input
    this.last = spectrum(size); // the last output frame
    this.work = spectrum(size);
    this.sums = [new Float64Array(size), new Float64Array(size)];
    this.power = new Float64Array(size / 2 + 5); // with two zeros before and after
    this.peaks = [];
  }

  /** Add the frame of the input `[left, right]` that begins at `start`; the input is there from `start` - hop on. */
  add([left, right], start, isOnset) {
    this.#analyse(left, right, start - this.hop, this.before);
    this.#analyse(left, right, start, this.now);
    if (!this.isFirst) this.#rotate(isOnset);
    this.isFirst = false;
    [this.last, this.now] = [this.now, this.last];
    this.#overlapAdd();
  }

  /** The `hop` samples that no further frame changes, [left, right]. */
  take() {
    const { hop, size } = this;
    return this.sums.map((sum) => {
      const samples = Float32Array.from(sum.subarray(0, hop));
      sum.copyWithin(0, hop);
      sum.fill(0, size - hop);
      return samples;
    });
  }

  #analyse(left, right, start, { re, im }) {
    const { window, size } = this;
    for (let i = 0; i < size; i++) {
      re[i] = window[i] * left[start + i];
      im[i] = window[i] * right[start + i];
    }
    this.fft.transform(re, im);
  }

  /** Rotate each peak of `now`, with the bins around it. */
  #rotate(isOnset) {
    this.#findPeaks();
    let first = 0;
    for (const [i, peak] of this.peaks.entries()) {
      const next = this.peaks[i + 1];
      const last = next === undefined ? this.size / 2 : (peak + next) >> 1;
      this.#rotateBins(first, last, this.#rotation(peak, isOnset));
      first = last + 1;
    }
  }

  #findPeaks() {
    const { power, now, size } = this;
    const half = size / 2;
    for (let bin = 0; bin <= half; bin++) power[bin + 2] = powerAt(now, bin, (size - bin) % size);
    this.peaks.length = 0;
    for (let i = 2; i <= half + 2; i++) {
      const value = power[i];
      if (power[i - 1] > value || power[i - 2] > value || power[i + 1] >= value || power[i + 2] >= value) continue;
      if (value > TINY) this.peaks.push(i - 2);
    }
  }

  /** The unit complex number, [real, imaginary], that turns the input's phase at `bin` into the output's. */
  #rotation(bin, isOnset) {
    const { before, last } = this;
    const mirror = (this.size - bin) % this.size;
    if (isOnset && this.power[bin + 2] > RISE * powerAt(before, bin, mirror)) return [1, 0];
    // The sum of output * conj(input) over both channels, one hop ago
    const re =
      last.re[bin] * before.re[bin] + last.im[bin] * before.im[bin] +
      last.re[mirror] * before.re[mirror] + last.im[mirror] * before.im[mirror];
    const im =
      last.im[bin] * before.re[bin] - last.re[bin] * before.im[bin] +
      last.re[mirror] * before.im[mirror] - last.im[mirror] * before.re[mirror];
    const length = Math.hypot(re, im);
    return length > TINY ? [re / length, im / length] : [1, 0];
  }

  #rotateBins(first, last, [cosine, sine]) {
    const { now, size } = this;
    for (let bin = first; bin <= last; bin++) {
      turn(now, bin, cosine, sine);
      if (bin > 0 && bin < size / 2) turn(now, size - bin, cosine, -sine);
    }
  }

  #overlapAdd() {
    const { work, last, window, gain, size } = this;
    const [left, right] = this.sums;
    work.re.set(last.re);
    work.im.set(last.im);
    this.fft.invert(work.re, work.im);
    for (let i = 0; i < size; i++) {
      left[i] += gain * window[i] * work.re[i];
      right[i] += gain * window[i] * work.im[i];
    }
  }
}

function spectrum(size) {
  return { re: new Float64Array(size), im: new Float64Array(size) };
}

/** Twice the power of left and right together. */
function powerAt({ re, im }, bin, mirror) {
  return re[bin] ** 2 + im[bin] ** 2 + re[mirror] ** 2 + im[mirror] ** 2;
}

function turn({ re, im }, bin, cosine, sine) {
  const real = re[bin];
  re[bin] = real * cosine - im[bin] * sine;
  im[bin] = im[bin] * cosine + real * sine;
}
