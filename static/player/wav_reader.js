// Reads any stretch of a WAV file on the server, by requests for ranges of bytes. A few blocks of samples are kept.
import { decode } from "./pcm.js";
import { readHeader, UnreadableFile } from "./wav_header.js";

const BLOCK_SECONDS = 0.4;
const NB_AHEAD = 3; // blocks fetched before they are needed
const NB_KEPT = 16; // blocks in memory
const RETRY_MS = 1000;

export class WavReader {
  #blocks = new Map(); // index → promise of [left, right], the least recently used first

  /** `onWaiting(isWaiting)` is called when the server does not answer, and when it does so again. */
  constructor(url, onWaiting = () => {}) {
    this.url = url;
    this.onWaiting = onWaiting;
  }

  /** Read the header. Throws UnreadableFile. */
  async open() {
    this.format = await readHeader((start, end) => this.#fetch(start, end));
    this.blockSamples = Math.max(1, Math.round(BLOCK_SECONDS * this.format.sampleRate));
    return this;
  }

  get sampleRate() {
    return this.format.sampleRate;
  }

  get nbSamples() {
    return this.format.nbSamples;
  }

  /** `count` samples from `start` on, [left, right]; zeros before and after the file. Throws UnreadableFile. */
  async read(start, count) {
    const out = [new Float32Array(count), new Float32Array(count)];
    const [from, to] = [Math.max(0, start), Math.min(start + count, this.nbSamples)];
    if (from >= to) return out;
    const first = Math.floor(from / this.blockSamples);
    const last = Math.floor((to - 1) / this.blockSamples);
    const blocks = [];
    for (let index = first; index <= last; index++) blocks.push(this.#block(index));
    for (const [i, block] of (await Promise.all(blocks)).entries()) {
      this.#copy(block, (first + i) * this.blockSamples - start, out, from - start, to - start);
    }
    // Not before, since the other tracks' first blocks would have to wait for a connection
    for (let index = last + 1; index <= last + NB_AHEAD; index++) this.#block(index).catch(() => {});
    return out;
  }

  /** Copy what lies between `from` and `to` of a block that begins at `offset`. */
  #copy(block, offset, out, from, to) {
    block.forEach((samples, channel) => {
      const [first, last] = [Math.max(from, offset), Math.min(to, offset + samples.length)];
      if (first < last) out[channel].set(samples.subarray(first - offset, last - offset), first);
    });
  }

  #block(index) {
    const block = this.#blocks.get(index) ?? this.#fetchBlock(index);
    this.#blocks.delete(index);
    this.#blocks.set(index, block);
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= NB_KEPT) break;
      this.#blocks.delete(oldest);
    }
    return block;
  }

  async #fetchBlock(index) {
    const { offset, bytesPerSample, nbChannels } = this.format;
    const frame = bytesPerSample * nbChannels;
    const count = Math.min(this.blockSamples, this.nbSamples - index * this.blockSamples);
    if (count <= 0) return [new Float32Array(0), new Float32Array(0)];
    const start = offset + index * this.blockSamples * frame;
    const { bytes } = await this.#fetch(start, start + count * frame);
    return decode(bytes, this.format);
  }

  /** { bytes, size } of the bytes from `start` to before `end`. While the server does not answer, it is asked again. */
  async #fetch(start, end) {
    for (;;) {
      try {
        const response = await fetch(this.url, { headers: { Range: `bytes=${start}-${end - 1}` }, cache: "no-store" });
        if (response.status < 500) return await contentOf(response);
      } catch (error) {
        if (error instanceof UnreadableFile) throw error;
      }
      this.onWaiting(true);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      this.onWaiting(false);
    }
  }
}

async function contentOf(response) {
  if (response.status !== 206) throw new UnreadableFile(`status ${response.status}`);
  const size = Number(response.headers.get("Content-Range").split("/")[1]);
  return { bytes: new Uint8Array(await response.arrayBuffer()), size };
}
