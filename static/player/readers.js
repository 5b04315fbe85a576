// Sources of samples with the interface of WavReader: at another sample rate, or several of them mixed.
import { Resampler } from "./resampler.js";

/** `reader` at `sampleRate`. */
export function atRate(reader, sampleRate) {
  return reader.sampleRate === sampleRate ? reader : new ResampledReader(reader, sampleRate);
}

class ResampledReader {
  constructor(reader, sampleRate) {
    this.reader = reader;
    this.resampler = new Resampler(reader.sampleRate / sampleRate);
  }

  get nbSamples() {
    return Math.round(this.reader.nbSamples / this.resampler.ratio);
  }

  async read(start, count) {
    const { ratio, reach } = this.resampler;
    const first = Math.floor(start * ratio) - reach;
    const end = Math.ceil((start + count) * ratio) + reach + 1;
    const channels = await this.reader.read(first, end - first);
    return channels.map((samples) => this.resampler.resample(samples, start * ratio - first, count));
  }
}

/** The sum of `readers`, each at its level. */
export class MixedReader {
  constructor(readers, levels) {
    this.parts = readers.map((reader, i) => ({ reader, level: levels[i] })).filter(({ level }) => level > 0);
  }

  async read(start, count) {
    const mix = [new Float32Array(count), new Float32Array(count)];
    const tracks = await Promise.all(this.parts.map(({ reader }) => reader.read(start, count)));
    tracks.forEach((track, i) => track.forEach((samples, channel) => add(mix[channel], samples, this.parts[i].level)));
    return mix;
  }
}

function add(sum, samples, level) {
  for (let i = 0; i < sum.length; i++) sum[i] += level * samples[i];
}
