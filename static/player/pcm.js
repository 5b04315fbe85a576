// Decodes the samples of a WAV file, and mixes them down to stereo.
const HALF = Math.SQRT1_2; // the level of a channel that is heard on both sides
const [FRONT_LEFT, FRONT_RIGHT, CENTRE, LOW] = [[1, 0], [0, 1], [HALF, HALF], [0, 0]];
const [LEFT, RIGHT] = [[HALF, 0], [0, HALF]];
// The speakers of a channel mask, the lowest bit first: their levels on the left and on the right
const SPEAKERS = [FRONT_LEFT, FRONT_RIGHT, CENTRE, LOW, LEFT, RIGHT, LEFT, RIGHT, CENTRE, LEFT, RIGHT];
// The usual mask of 1 to 8 channels without one
const USUAL_MASKS = [0x0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x13f, 0x63f];

const DECODERS = {
  uint8: (view, at) => (view.getUint8(at) - 128) / 128,
  int16: (view, at) => view.getInt16(at, true) / 0x8000,
  int24: (view, at) => (view.getUint16(at, true) + 0x10000 * view.getInt8(at + 2)) / 0x800000,
  int32: (view, at) => view.getInt32(at, true) / 0x80000000,
  float32: (view, at) => view.getFloat32(at, true) || 0, // not a number: silence
  float64: (view, at) => view.getFloat64(at, true) || 0,
  alaw: (view, at) => decodeALaw(view.getUint8(at) ^ 0x55) / 0x8000,
  mulaw: (view, at) => decodeMuLaw(~view.getUint8(at) & 0xff) / 0x8000,
};

/** The samples of interleaved `bytes`, [left, right]; `format` is what readHeader returns. */
export function decode(bytes, format) {
  const { encoding, bytesPerSample, nbChannels } = format;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / (bytesPerSample * nbChannels));
  const channels = Array.from({ length: nbChannels }, (_, channel) => {
    return decodeChannel(view, DECODERS[encoding], channel * bytesPerSample, nbChannels * bytesPerSample, count);
  });
  if (nbChannels === 1) return [channels[0], channels[0]];
  return nbChannels === 2 ? channels : mixedDown(channels, format.channelMask);
}

function decodeChannel(view, decodeSample, offset, step, count) {
  const samples = new Float32Array(count);
  for (let i = 0, at = offset; i < count; i++, at += step) samples[i] = decodeSample(view, at);
  return samples;
}

function mixedDown(channels, channelMask) {
  const levels = speakerLevels(channels.length, channelMask);
  return [0, 1].map((side) => {
    const mix = new Float32Array(channels[0].length);
    channels.forEach((samples, channel) => {
      const level = levels[channel][side];
      if (level) for (let i = 0; i < mix.length; i++) mix[i] += level * samples[i];
    });
    return mix;
  });
}

/** The levels of each channel on the left and on the right. Channels without a known speaker are heard on both sides. */
function speakerLevels(nbChannels, channelMask) {
  const mask = channelMask || USUAL_MASKS[nbChannels] || 0;
  const speakers = SPEAKERS.filter((_, bit) => mask & (1 << bit));
  return Array.from({ length: nbChannels }, (_, channel) => speakers[channel] ?? CENTRE);
}

/** G.711 */
function decodeALaw(code) {
  const exponent = (code >> 4) & 7;
  const mantissa = ((code & 15) << 4) + 8;
  const size = exponent ? (mantissa + 0x100) << (exponent - 1) : mantissa;
  return code & 0x80 ? size : -size;
}

/** G.711 */
function decodeMuLaw(code) {
  const size = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return code & 0x80 ? -size : size;
}
