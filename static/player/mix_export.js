// Renders a mix with another tempo or pitch to a WAV file, piece by piece, in the bit depth of its tracks.
import { encode, wavHeader } from "./wav_writer.js";
import { atRate, MixedReader } from "./readers.js";
import { Renderer } from "./renderer.js";

const CHUNK_SECONDS = 0.5;

export class MixExport {
  /** `tracks`: [{ reader, level }], where a reader that is null is left out; `tempo` and `semitones` as for a Renderer. */
  constructor(tracks, { tempo, semitones }) {
    const parts = tracks.filter(({ reader, level }) => reader && level > 0);
    const all = tracks.filter(({ reader }) => reader).map(({ reader }) => reader);
    this.sampleRate = Math.max(...all.map((reader) => reader.sampleRate));
    const sources = parts.map(({ reader }) => atRate(reader, this.sampleRate));
    const nbSamples = Math.max(...all.map((reader) => atRate(reader, this.sampleRate).nbSamples));
    const mix = new MixedReader(sources, parts.map(({ level }) => level));
    this.encoding = encodingOf(all);
    this.renderer = new Renderer([mix], { tempo, semitones, sampleRate: this.sampleRate, position: 0, loop: null, nbSamples });
  }

  get isDone() {
    return this.isBegun && this.renderer.isDone;
  }

  /** The next piece of the file: { bytes, share, isLast }, where `share` is how much of the file is made. */
  async next() {
    const bytes = this.isBegun ? await this.#nextSamples() : this.#header();
    return { bytes, share: this.renderer.done / this.renderer.length, isLast: this.isDone };
  }

  #header() {
    this.isBegun = true;
    return wavHeader(this.renderer.length, this.sampleRate, this.encoding);
  }

  async #nextSamples() {
    const [track] = await this.renderer.next(Math.ceil(CHUNK_SECONDS * this.sampleRate));
    return encode(track, this.encoding);
  }
}

/** Floating point if a track is, otherwise 24 bit, or 16 bit if no track has more. */
function encodingOf(readers) {
  const encodings = readers.map(({ format }) => format.encoding);
  if (encodings.some((encoding) => encoding.startsWith("float"))) return "float32";
  return encodings.some((encoding) => ["int24", "int32"].includes(encoding)) ? "int24" : "int16";
}
