// The loop: its buttons, its keys, and the text that tells its ends.
import { clock } from "./clock.js";
import { translate } from "../translation.js";

const FIRST_LOOP_SECONDS = 4; // that is looped if nothing was selected before

export class LoopTools {
  #last = null; // the loop that was turned off

  /** `tell(sentence)` shows a message to the visitor. */
  constructor(find, transport, tell) {
    Object.assign(this, { find, transport, tell });
    this.hint = find(".part").textContent;
    find(".loop").addEventListener("click", () => this.toggle());
    find(".loop-from").addEventListener("click", () => this.from());
    find(".loop-to").addEventListener("click", () => this.to());
  }

  /** Turn the loop off, or on again. */
  toggle() {
    const { loop, position, duration } = this.transport;
    if (loop) this.#last = loop;
    const start = Math.min(position, Math.max(0, duration - FIRST_LOOP_SECONDS));
    this.set(loop ? null : (this.#last ?? { from: start, to: start + FIRST_LOOP_SECONDS }));
  }

  from() {
    const { loop, position, duration } = this.transport;
    this.set({ from: position, to: loop && loop.to > position ? loop.to : duration });
  }

  to() {
    const { loop, position } = this.transport;
    this.set({ from: loop && loop.from < position ? loop.from : 0, to: position });
  }

  /** Loop between two positions, or not at all (null). */
  set(loop) {
    if (this.transport.repeat(loop)) this.tell("");
    else this.tell(translate("A loop must have at least 0.1 s between its start and its end."));
  }

  show(loop = this.transport.loop) {
    this.find(".loop").setAttribute("aria-pressed", this.transport.loop !== null);
    this.find(".part").textContent = loop ? `${clock(loop.from, true)} – ${clock(loop.to, true)}` : this.hint;
  }

  get state() {
    return { loop: this.transport.loop, last: this.#last };
  }

  restore({ loop, last }) {
    this.#last = last;
    this.transport.repeat(loop);
  }
}
