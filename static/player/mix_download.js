// "Download this mix": the server mixes the stems; with another tempo or pitch, the player's worker renders the mix.
import { signed } from "./tempo_tools.js";
import { translate } from "../translation.js";

const BYTES_AT_ONCE = 1 << 24; // collected before they are handed to the browser, which may keep them on the disk

export class MixDownload {
  #parts = null; // of the file that is being rendered: blobs, and bytes that are not in a blob yet

  /** `link`: of mix.html; `status`: where the progress is shown. */
  constructor(link, status, mixer, transport) {
    Object.assign(this, { link, status, mixer, transport });
    link.addEventListener("click", (event) => this.#start(event));
    transport.addEventListener("exported", ({ detail }) => this.#add(detail));
  }

  /** Address the server's mix with the present levels. */
  show() {
    this.link.href = `${this.link.dataset.mix}&${new URLSearchParams([...this.mixer.stemLevels()])}`;
  }

  #start(event) {
    const { tempo, semitones } = this.transport;
    if (tempo === 1 && semitones === 0) return;
    event.preventDefault();
    if (this.#parts) return;
    this.#parts = { blobs: [], bytes: [], nbBytes: 0 };
    this.name = `${this.link.dataset.name} (${Math.round(100 * tempo)} %, ${signed(semitones)}).wav`;
    const levels = this.mixer.tracks.map((track) => this.mixer.level(track));
    this.transport.ask({ type: "export", levels, tempo, semitones });
    this.#showProgress(0);
  }

  #add({ bytes, share, isLast }) {
    const parts = this.#parts;
    parts.bytes.push(bytes);
    parts.nbBytes += bytes.length;
    if (parts.nbBytes > BYTES_AT_ONCE || isLast) {
      parts.blobs.push(new Blob(parts.bytes));
      Object.assign(parts, { bytes: [], nbBytes: 0 });
    }
    this.#showProgress(share);
    if (isLast) this.#save();
  }

  #showProgress(share) {
    const percent = Math.floor(10 * share) * 10;
    const sentence = translate("The mix is being made: {percent} %", { percent });
    if (this.status.textContent !== sentence) this.status.textContent = sentence;
  }

  #save() {
    const url = URL.createObjectURL(new Blob(this.#parts.blobs, { type: "audio/wav" }));
    Object.assign(document.createElement("a"), { href: url, download: this.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    this.#parts = null;
    this.status.textContent = "";
  }
}
