// The discrete Fourier transform of complex arrays, radix 2, in place (Cooley and Tukey, 1965).
export class FFT {
  /** `size`: a power of two. */
  constructor(size) {
    this.size = size;
    this.cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sines = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    this.swaps = bitReversal(size);
  }

  /** Replace `real` + i `imaginary` by its transform. */
  transform(real, imaginary) {
    const { swaps } = this;
    for (let k = 0; k < swaps.length; k += 2) {
      swap(real, swaps[k], swaps[k + 1]);
      swap(imaginary, swaps[k], swaps[k + 1]);
    }
    for (let half = 1; half < this.size; half *= 2) this.#combine(real, imaginary, half);
  }

  /** Replace `real` + i `imaginary` by its inverse transform, without the factor 1 / size. */
  invert(real, imaginary) {
    this.transform(imaginary, real);
  }

  /** Combine pairs of transforms of length `half`. */
  #combine(real, imaginary, half) {
    const { size, cosines, sines } = this;
    const stride = size / (2 * half);
    for (let k = 0; k < half; k++) {
      const cosine = cosines[k * stride];
      const sine = sines[k * stride];
      for (let i = k; i < size; i += 2 * half) {
        const j = i + half;
        const re = real[j] * cosine + imaginary[j] * sine;
        const im = imaginary[j] * cosine - real[j] * sine;
        real[j] = real[i] - re;
        imaginary[j] = imaginary[i] - im;
        real[i] += re;
        imaginary[i] += im;
      }
    }
  }
}

function swap(values, i, j) {
  const value = values[i];
  values[i] = values[j];
  values[j] = value;
}

/** The pairs of indices whose bits are each other's in reverse, one after another. */
function bitReversal(size) {
  const pairs = [];
  for (let i = 0, j = 0; i < size; i++) {
    if (i < j) pairs.push(i, j);
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
  }
  return Int32Array.from(pairs);
}
