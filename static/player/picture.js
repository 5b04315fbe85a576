// A track's picture: its waveform or its spectrogram, in the page's present size and colours.
import { drawSpectrogram } from "./spectrogram.js";
import { drawWaveform } from "./waveform.js";

const NB_TRIES = 60;
const SECONDS_BETWEEN = 2; // the server computes the data just after the separation
const SPECTRUM = ["--spectrum-quiet", "--spectrum-soft", "--spectrum-loud", "--spectrum-full"];

export class Picture {
  #data = new Map(); // URL → bytes, or a promise of them

  #detail = null; // { from, to, peaks }: finer peaks of a stretch of the song, in seconds

  /** `view`: the part of the song that is shown. */
  constructor(canvas, view, peaksUrl, spectrogramUrl) {
    Object.assign(this, { canvas, view, peaksUrl, spectrogramUrl, isSpectrogram: false });
    view.addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(isSpectrogram) {
    this.isSpectrogram = isSpectrogram;
    this.draw();
  }

  /** Finer peaks of the stretch of the song that is shown: signed bytes, as those of the server. */
  showDetail(from, to, peaks) {
    this.#detail = { from, to, peaks };
    this.draw();
  }

  draw() {
    const bytes = this.#bytes(this.isSpectrogram ? this.spectrogramUrl : this.peaksUrl);
    this.#fit();
    this.canvas.parentElement.classList.toggle("waiting", !bytes);
    if (!bytes || !this.canvas.width) return;
    const [from, to] = [this.view.from, this.view.to].map((seconds) => seconds / this.view.duration);
    const style = getComputedStyle(this.canvas);
    if (this.isSpectrogram) drawSpectrogram(this.canvas, bytes, SPECTRUM.map((name) => rgb(style.getPropertyValue(name))), from, to);
    else if (this.#isDetailed) drawWaveform(this.canvas, this.#detail.peaks, style.color, ...this.#shareOfDetail());
    else drawWaveform(this.canvas, new Int8Array(bytes.buffer), style.color, from, to);
  }

  get #isDetailed() {
    return this.#detail && this.#detail.from <= this.view.from && this.#detail.to >= this.view.to;
  }

  #shareOfDetail() {
    const { from, to } = this.#detail;
    return [this.view.from, this.view.to].map((seconds) => (seconds - from) / (to - from));
  }

  /** Set the canvas to the resolution of the screen, which also clears it. */
  #fit() {
    this.canvas.width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(this.canvas.clientHeight * devicePixelRatio);
  }

  /** The bytes, if they are loaded. Otherwise they are fetched and drawn afterwards. */
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
