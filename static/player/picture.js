// What is seen of a track: its waveform, or its spectrogram, as large and in such colours as the page has it now.
import { drawSpectrogram } from "/static/player/spectrogram.js";
import { drawWaveform } from "/static/player/waveform.js";

const NB_TRIES = 60;
const SECONDS_BETWEEN = 2; // the server makes the data just after the separation
const SPECTRUM = ["--spectrum-quiet", "--spectrum-soft", "--spectrum-loud", "--spectrum-full"];

export class Picture {
  #data = new Map(); // address → bytes, or a promise of them

  constructor(canvas, peaksUrl, spectrogramUrl) {
    Object.assign(this, { canvas, peaksUrl, spectrogramUrl, isSpectrogram: false });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(isSpectrogram) {
    this.isSpectrogram = isSpectrogram;
    this.draw();
  }

  draw() {
    const bytes = this.#bytes(this.isSpectrogram ? this.spectrogramUrl : this.peaksUrl);
    this.#fit();
    if (!bytes || !this.canvas.width) return;
    const style = getComputedStyle(this.canvas);
    if (this.isSpectrogram) drawSpectrogram(this.canvas, bytes, SPECTRUM.map((name) => rgb(style.getPropertyValue(name))));
    else drawWaveform(this.canvas, new Int8Array(bytes.buffer), style.color);
  }

  /** As many dots as the screen has; this also empties the canvas. */
  #fit() {
    this.canvas.width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(this.canvas.clientHeight * devicePixelRatio);
  }

  /** The bytes if they are here; if not, they are fetched, and then drawn. */
  #bytes(url) {
    if (!this.#data.has(url)) this.#data.set(url, this.#fetch(url));
    const bytes = this.#data.get(url);
    return bytes instanceof Uint8Array ? bytes : null;
  }

  async #fetch(url) {
    for (let tries = 0; tries < NB_TRIES; tries++) {
      const answer = await fetch(url).catch(() => null);
      if (answer?.status === 200) {
        this.#data.set(url, new Uint8Array(await answer.arrayBuffer()));
        return this.draw();
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS_BETWEEN));
    }
  }
}

/** [red, green, blue] of "#rrggbb". */
function rgb(colour) {
  return colour.trim().match(/[0-9a-f]{2}/gi).map((digits) => parseInt(digits, 16));
}
