// One file's line in the list: its name, its progress, and a button that cancels the upload or repeats it.
import { announce, tens } from "../live.js";
import { duration, size } from "./amounts.js";
import { objection } from "./check.js";
import { NotSent, send, separate } from "./send.js";
import { translate } from "../translation.js";

const template = document.getElementById("line");

export class Line {
  /** `state`: chosen → waiting → sending → sent; or refused before the upload, failed during it, or cancelled. */
  constructor(file, maxBytes) {
    this.file = file;
    this.maxBytes = maxBytes;
    this.state = "chosen";
    this.options = null; // of the separation that follows the upload; null for none
    this.element = template.content.firstElementChild.cloneNode(true);
    for (const part of ["name", "size", "bar", "words", "button"]) this[part] = this._part(part);
    this.name.textContent = file.name;
    this.size.textContent = size(file.size);
    this.bar.ariaLabel = translate("Sending {name}", { name: file.name });
    this.checked = this._check();
  }

  get isUnderWay() {
    return this.state === "waiting" || this.state === "sending";
  }

  /** The page of the file's job, once the file is uploaded. */
  get page() {
    return new URL(`../../cgi-bin/${this.options ? "job" : "uploaded"}.py?job=${this.job.job}`, import.meta.url).href;
  }

  wait() {
    this._show("waiting", translate("Waiting for the other files."));
    this.checked = this._check(); // again, since the file may have changed
    this._offer(translate("Cancel"));
  }

  /** Upload the file to `address` if it passes the checks. Its state is then sent, refused, failed or cancelled. */
  async send(address) {
    await this.checked;
    if (this.state !== "waiting") return;
    this._begin();
    try {
      this.job = await send(address, this.file, (progress) => this._progress(progress), this.breaker.signal);
      this._link();
      if (this.options) await separate(this.job.job, this.options);
      this._end();
    } catch (error) {
      if (!(error instanceof NotSent)) throw error;
      this._stop(this.breaker.signal.aborted ? "cancelled" : "failed", error.message, error.again);
    }
  }

  cancel() {
    if (this.state === "sending") this.breaker.abort();
    else this._stop("cancelled", translate("Cancelled."), true);
  }

  async _check() {
    const sentence = await objection(this.file, this.maxBytes);
    if (sentence) this._stop("refused", sentence);
  }

  _begin() {
    this.breaker = new AbortController();
    this.said = 0;
    this.bar.value = 0;
    this.bar.hidden = false;
    this._show("sending", translate("Sending…"));
    announce(this.bar.ariaLabel);
  }

  _progress({ loaded, total, secondsLeft }) {
    const percent = Math.floor((100 * loaded) / total);
    this.bar.value = percent;
    if (loaded === total) return this._show("sending", translate("The upload is complete. The file is being checked."));
    const left = { percent, loaded: size(loaded), total: size(total), duration: duration(secondsLeft) };
    this._show("sending", translate("{percent} %, {loaded} of {total}, about {duration} left", left));
    if (tens(percent) > this.said) this._say(translate("{percent} %", { percent: (this.said = tens(percent)) }));
  }

  _link() {
    const link = document.createElement("a");
    link.href = this.page;
    link.textContent = this.file.name;
    this.name.replaceChildren(link);
  }

  _end() {
    this.bar.hidden = true;
    this._show("sent", translate("Sent."));
    this._say(translate("Sent."));
    this._offer("");
  }

  _stop(state, sentence, again = false) {
    this.bar.hidden = true;
    this._show(state, sentence);
    this._say(sentence);
    this._offer(again ? translate("Send again") : "");
  }

  _show(state, sentence) {
    this.state = this.element.dataset.state = state;
    this.words.textContent = sentence;
  }

  _say(sentence) {
    announce(`${this.file.name}: ${sentence}`);
  }

  /** Give the button the text `what`, or hide it. The focus moves from a hidden button to the line. */
  _offer(what) {
    const focused = document.activeElement === this.button;
    this.button.hidden = !what;
    this.button.textContent = what;
    this.button.ariaLabel = `${what}: ${this.file.name}`;
    if (focused && !what) this.element.focus();
  }

  _part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }
}
