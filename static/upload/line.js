// One file's line in the list: its name, how far it is, and a button that cancels it or sends it again.
import { announce, tens } from "/static/live.js";
import { duration, size } from "/static/upload/amounts.js";
import { objection } from "/static/upload/check.js";
import { NotSent, send } from "/static/upload/send.js";
import { say } from "/static/words.js";

const template = document.getElementById("line");

export class Line {
  /** `state`: chosen → waiting → sending → sent; refused before it was sent, failed on the way, or cancelled. */
  constructor(file, maxBytes) {
    this.file = file;
    this.maxBytes = maxBytes;
    this.state = "chosen";
    this.element = template.content.firstElementChild.cloneNode(true);
    for (const part of ["name", "size", "bar", "words", "button"]) this[part] = this._part(part);
    this.name.textContent = file.name;
    this.size.textContent = size(file.size);
    this.bar.ariaLabel = say("Sending {name}", { name: file.name });
    this.checked = this._check();
  }

  get isUnderWay() {
    return this.state === "waiting" || this.state === "sending";
  }

  /** The page of the file's job, once it is sent. */
  get page() {
    return `/cgi-bin/uploaded.py?job=${this.job.job}`;
  }

  wait() {
    this._show("waiting", say("It waits for its turn."));
    this.checked = this._check(); // again, since the file may have changed
    this._offer(say("Cancel"));
  }

  /** Send the file to `address`, if nothing is known against it; afterwards it is sent, refused, failed or cancelled. */
  async send(address) {
    await this.checked;
    if (this.state !== "waiting") return;
    this._begin();
    try {
      this.job = await send(address, this.file, (progress) => this._progress(progress), this.breaker.signal);
      this._end();
    } catch (error) {
      if (!(error instanceof NotSent)) throw error;
      this._stop(this.breaker.signal.aborted ? "cancelled" : "failed", error.message, error.again);
    }
  }

  cancel() {
    if (this.state === "sending") this.breaker.abort();
    else this._stop("cancelled", say("Cancelled."), true);
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
    this._show("sending", say("Sending…"));
    announce(this.bar.ariaLabel);
  }

  _progress({ loaded, total, secondsLeft }) {
    const percent = Math.floor((100 * loaded) / total);
    this.bar.value = percent;
    if (loaded === total) return this._show("sending", say("All of it is sent; now it is being checked."));
    const left = { percent, loaded: size(loaded), total: size(total), duration: duration(secondsLeft) };
    this._show("sending", say("{percent} %, {loaded} of {total}, about {duration} left", left));
    if (tens(percent) > this.said) this._say(say("{percent} %", { percent: (this.said = tens(percent)) }));
  }

  _end() {
    const link = document.createElement("a");
    link.href = this.page;
    link.textContent = this.file.name;
    this.name.replaceChildren(link);
    this.bar.hidden = true;
    this._show("sent", say("Sent."));
    this._say(say("Sent."));
    this._offer("");
  }

  _stop(state, sentence, again = false) {
    this.bar.hidden = true;
    this._show(state, sentence);
    this._say(sentence);
    this._offer(again ? say("Send again") : "");
  }

  _show(state, sentence) {
    this.state = this.element.dataset.state = state;
    this.words.textContent = sentence;
  }

  _say(sentence) {
    announce(`${this.file.name}: ${sentence}`);
  }

  /** Let the button do `what`, or take it away; who was on it comes to the line. */
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
