// Reads the header of a WAV file (RIFF or RF64): where the samples are, and how they are encoded.
const HEAD_BYTES = 65536; // requested at once; a header with pictures or long texts takes several requests
const UNKNOWN_LENGTH = 0xffffffff; // in the header of RF64, and of programs that write to a pipe
const EXTENSIBLE = 0xfffe;
const MAX_NB_CHUNKS = 1000;

/** A file that is not a WAV file with samples that can be decoded. */
export class UnreadableFile extends Error {}

/**
 * `fetchBytes(start, end)`: { bytes, size }, the bytes from `start` to before `end`, as far as there are any, and the size
 * of the file. Returns { encoding, bytesPerSample, nbChannels, channelMask, sampleRate, nbSamples, offset }.
 * Throws UnreadableFile.
 */
export async function readHeader(fetchBytes) {
  const head = new Head(fetchBytes);
  if (!["RIFF", "RF64"].includes(await head.text(0)) || (await head.text(8)) !== "WAVE") throw new UnreadableFile("no WAV");
  const found = {};
  for (let at = 12, i = 0; i < MAX_NB_CHUNKS; i++) {
    const [name, length] = [await head.text(at), await head.number(at + 4, 4)];
    if (name === "data") return describe(found, at + 8, length, head.size);
    if (name === "ds64") found.dataLength = await head.number(at + 16, 8);
    if (name === "fmt ") found.format = await readFormat(head, at + 8, length);
    at += 8 + length + (length % 2);
  }
  throw new UnreadableFile("no data");
}

async function readFormat(head, at, length) {
  let tag = await head.number(at, 2);
  const isExtensible = tag === EXTENSIBLE && length >= 40;
  if (isExtensible) tag = await head.number(at + 24, 2);
  return {
    tag,
    nbChannels: await head.number(at + 2, 2),
    sampleRate: await head.number(at + 4, 4),
    frameBytes: await head.number(at + 12, 2),
    channelMask: isExtensible ? await head.number(at + 20, 4) : 0,
  };
}

function describe({ format, dataLength }, offset, length, size) {
  if (!format || !format.nbChannels || !format.sampleRate) throw new UnreadableFile("no format");
  const { tag, nbChannels, sampleRate, channelMask, frameBytes } = format;
  const bytesPerSample = frameBytes / nbChannels;
  const stated = length === UNKNOWN_LENGTH ? (dataLength ?? Infinity) : length || Infinity;
  const nbSamples = Math.floor(Math.min(stated, size - offset) / frameBytes);
  return { encoding: encodingOf(tag, bytesPerSample), bytesPerSample, nbChannels, channelMask, sampleRate, nbSamples, offset };
}

function encodingOf(tag, bytesPerSample) {
  const encodings = { 1: ["", "uint8", "int16", "int24", "int32"], 3: { 4: "float32", 8: "float64" }, 6: ["", "alaw"], 7: ["", "mulaw"] };
  const encoding = encodings[tag]?.[bytesPerSample];
  if (!encoding) throw new UnreadableFile(`format ${tag}, ${bytesPerSample} bytes`);
  return encoding;
}

/** The beginning of a file, fetched as far as it is needed. */
class Head {
  constructor(fetchBytes) {
    Object.assign(this, { fetchBytes, start: 0, bytes: new Uint8Array(0), size: Infinity });
  }

  async text(at) {
    return String.fromCharCode(...(await this.#view(at, 4)));
  }

  /** A little-endian number of `length` bytes. */
  async number(at, length) {
    return (await this.#view(at, length)).reduceRight((sum, byte) => 256 * sum + byte, 0);
  }

  async #view(at, length) {
    if (at < this.start || at + length > this.start + this.bytes.length) {
      Object.assign(this, await this.fetchBytes(at, at + HEAD_BYTES), { start: at });
    }
    if (at + length > this.start + this.bytes.length) throw new UnreadableFile("the file ends within its header");
    return this.bytes.subarray(at - this.start, at - this.start + length);
  }
}
