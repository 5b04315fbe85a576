// One track on the page: its buttons, its level and meter, and its picture.
import { Picture } from "./picture.js";

const CLIPPING = 1; // of full scale
const CLIPPING_MS = 1500; // for which it is shown
const QUIETEST_DB = -48; // at the left end of the meter

export class TrackRow {
  /** `item`: the list item of track.html. It gets the attributes of a track of the mixer, which are set there. */
  constructor(item, index, view) {
    const { name, set, url, peaks, spectrogram } = item.dataset;
    Object.assign(this, { item, index, name, set, url: url.split("?")[0], clippedAt: -Infinity });
    this.audio = item.querySelector("audio");
    this.volumeField = item.querySelector(".volume");
    this.meter = item.querySelector(".meter");
    this.picture = new Picture(item.querySelector("canvas"), view, peaks, spectrogram);
    this.audio.hidden = true;
  }

  wire(mixer) {
    this.find(".mute").addEventListener("click", () => mixer.toggleMute(this));
    this.find(".solo").addEventListener("click", () => mixer.toggleSolo(this));
    this.volumeField.addEventListener("input", () => mixer.setVolume(this, this.volumeField.valueAsNumber));
    this.volumeField.addEventListener("dblclick", () => mixer.setVolume(this, 1));
  }

  find(selector) {
    return this.item.querySelector(selector);
  }

  /** Show the state that the mixer has set. */
  show(isSilent) {
    this.item.classList.toggle("silent", isSilent);
    this.find(".mute").setAttribute("aria-pressed", this.muted);
    this.find(".solo").setAttribute("aria-pressed", this.solo);
    this.volumeField.value = this.volume;
    this.volumeField.setAttribute("aria-valuetext", `${Math.round(100 * this.volume)} %`);
    this.volumeField.title = `${Math.round(100 * this.volume)} %`;
  }

  /** `peak`: of the last moment, a factor of full scale. */
  showPeak(peak) {
    const level = peak > 0 ? Math.min(1, Math.max(0, 1 - (20 * Math.log10(peak)) / QUIETEST_DB)) : 0;
    const now = performance.now();
    if (peak > CLIPPING) this.clippedAt = now;
    this.meter.style.setProperty("--peak", level.toFixed(3));
    this.meter.classList.toggle("clips", now - this.clippedAt < CLIPPING_MS);
  }

  /** The worker cannot read this track: the browser may play it by itself, or else only the download is left. */
  playAlone() {
    const { audio } = this;
    this.find(".picture").hidden = true;
    audio.hidden = false;
    audio.addEventListener("error", () => {
      audio.hidden = true;
      this.find(".fault").hidden = false;
    });
    audio.preload = "metadata";
  }
}
