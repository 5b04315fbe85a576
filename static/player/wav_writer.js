// Writes stereo WAV files of 16 or 24 bit, or of 32-bit floating point.
const HEADER_BYTES = 44;
const LARGEST = 0xffffffff;
const BYTES = { int16: 2, int24: 3, float32: 4 };

/** The header of a file with `nbSamples` samples per channel. Beyond 4 GiB, its lengths say "unknown". */
export function wavHeader(nbSamples, sampleRate, encoding) {
  const frame = 2 * BYTES[encoding];
  const dataBytes = nbSamples * frame;
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, Math.min(LARGEST, HEADER_BYTES - 8 + dataBytes), true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, encoding === "float32" ? 3 : 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * frame, true);
  view.setUint16(32, frame, true);
  view.setUint16(34, 8 * BYTES[encoding], true);
  text(36, "data");
  view.setUint32(40, Math.min(LARGEST, dataBytes), true);
  return new Uint8Array(view.buffer);
}

/** The bytes of `[left, right]`. Integers beyond full scale are clipped. */
export function encode([left, right], encoding) {
  const width = BYTES[encoding];
  const view = new DataView(new ArrayBuffer(2 * width * left.length));
  const write = WRITERS[encoding];
  for (let i = 0; i < left.length; i++) {
    write(view, 2 * width * i, left[i]);
    write(view, 2 * width * i + width, right[i]);
  }
  return new Uint8Array(view.buffer);
}

const WRITERS = {
  int16: (view, at, sample) => view.setInt16(at, integer(sample, 0x8000), true),
  int24: (view, at, sample) => {
    const value = integer(sample, 0x800000);
    view.setUint16(at, value & 0xffff, true);
    view.setInt8(at + 2, value >> 16);
  },
  float32: (view, at, sample) => view.setFloat32(at, sample, true),
};

function integer(sample, fullScale) {
  return Math.max(-fullScale, Math.min(fullScale - 1, Math.round(sample * fullScale)));
}
