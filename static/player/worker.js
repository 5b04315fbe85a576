// The worker of the player: it fetches the tracks, renders what is heard chunk by chunk, and renders mixes to download.
import { MixExport } from "./mix_export.js";
import { peaksOf } from "./peaks.js";
import { atRate } from "./readers.js";
import { Renderer } from "./renderer.js";
import { WavReader } from "./wav_reader.js";

const CHUNK_SECONDS = 0.2;
const FIRST_STRETCHED_SECONDS = 0.12; // so that the sound begins at once

let readers = []; // of the tracks; null for those that cannot be read
let current = null; // the rendering in progress: { id, credit, wake }

const messages = {
  /** Open the tracks and tell their formats, or null for those that cannot be read. */
  async open({ urls }) {
    const tell = (isWaiting) => postMessage({ type: "waiting", isWaiting });
    readers = await Promise.all(urls.map((url) => new WavReader(url, tell).open().catch(() => null)));
    const formats = readers.map((reader) => reader && { ...reader.format, seconds: reader.nbSamples / reader.sampleRate });
    postMessage({ type: "opened", formats });
  },

  /** Fetch what is played first at `seconds`. */
  warm({ seconds }) {
    for (const reader of readable()) reader.read(Math.floor(seconds * reader.sampleRate), 1).catch(() => {});
  },

  /**
   * Render from a position on; `credit` chunks are made, and one more at each "more". With another tempo or pitch, only the
   * tracks that are `audible` are rendered.
   */
  async render({ id, credit, ...settings }) {
    current = { id, credit, wake: () => {} };
    await render(current, settings).catch(() => postMessage({ type: "gone" }));
  },

  more({ id }) {
    if (current?.id !== id) return;
    current.credit += 1;
    current.wake();
  },

  stop() {
    current = null;
  },

  async peaks({ id, from, to, nbPairs }) {
    const peaks = await Promise.all(readers.map((reader) => reader && peaksOf(reader, from, to, nbPairs)));
    postMessage({ type: "peaks", id, from, to, peaks });
  },

  async export({ levels, ...settings }) {
    const mixExport = new MixExport(readers.map((reader, i) => ({ reader, level: levels[i] })), settings);
    while (!mixExport.isDone) {
      const piece = await mixExport.next();
      postMessage({ type: "exported", ...piece }, [piece.bytes.buffer]);
      await nextTask();
    }
  },
};

/** Let messages that have arrived be handled: a jump must not wait until all chunks are rendered. */
const nextTask = () => new Promise((resolve) => setTimeout(resolve));

const readable = () => readers.filter(Boolean);

async function render(rendering, { sampleRate, position, loop, tempo, semitones, audible }) {
  const isStretched = tempo !== 1 || semitones !== 0;
  rendering.readers = isStretched && audible.some(Boolean) ? readers.map((reader, i) => audible[i] && reader) : readers;
  const sources = rendering.readers.filter(Boolean).map((reader) => atRate(reader, sampleRate));
  const samples = (seconds) => Math.round(seconds * sampleRate);
  const renderer = new Renderer(sources, {
    sampleRate,
    tempo,
    semitones,
    position: samples(position),
    loop: loop && { from: samples(loop.from), to: samples(loop.to) },
    nbSamples: Math.max(...readable().map((reader) => atRate(reader, sampleRate).nbSamples)),
  });
  let seconds = isStretched ? FIRST_STRETCHED_SECONDS : CHUNK_SECONDS;
  for (;;) {
    while (rendering === current && rendering.credit === 0) await new Promise((resolve) => (rendering.wake = resolve));
    const tracks = await renderer.next(Math.max(1, samples(seconds)));
    if (rendering !== current) return;
    rendering.credit -= 1;
    seconds = CHUNK_SECONDS;
    send(rendering, tracks, renderer.isDone);
    if (renderer.isDone) return;
    await nextTask();
  }
}

/** Send a chunk: the samples of each track in the order of the tracks, null for those that are not rendered. */
function send({ id, readers }, rendered, isLast) {
  const tracks = readers.map((reader) => (reader ? rendered.shift() : null));
  const buffers = new Set(tracks.flatMap((track) => track ?? []).map((samples) => samples.buffer));
  postMessage({ type: "chunk", id, tracks, isLast }, [...buffers]);
}

onmessage = ({ data: { type, ...message } }) => messages[type](message);
