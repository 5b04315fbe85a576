// The part of the song that the waveforms show.
const SHORTEST_SECONDS = 0.5;
const FACTOR = 2; // of one step of the zoom

export class View extends EventTarget {
  /** Dispatches "change". */
  constructor(duration) {
    super();
    Object.assign(this, { duration, from: 0, to: duration });
  }

  get length() {
    return this.to - this.from;
  }

  get isWhole() {
    return this.length >= this.duration;
  }

  get isClosest() {
    return this.length <= this.#shortest;
  }

  /** Set the length of the song, and show the whole of it. */
  setDuration(duration) {
    this.duration = duration;
    this.show(0, duration);
  }

  /** Magnify (`steps` > 0) or reduce around the position `centre`, which stays where it is. */
  zoom(steps, centre) {
    const length = Math.min(this.duration, Math.max(this.#shortest, this.length / FACTOR ** steps));
    const share = (centre - this.from) / this.length;
    const isOutside = share < 0 || share > 1;
    this.show(centre - (isOutside ? 0.5 : share) * length, length);
  }

  /** Show `length` seconds from `from` on, or as near to it as the song allows. */
  show(from, length) {
    this.from = Math.max(0, Math.min(from, this.duration - length));
    this.to = this.from + length;
    this.dispatchEvent(new Event("change"));
  }

  /** Move on by a page if the playhead has left what is shown. */
  follow(position) {
    if (position < this.from || position >= this.to) this.show(position - 0.05 * this.length, this.length);
  }

  /** Where a position is in the picture: 0 is its left end, 1 its right end. */
  share(seconds) {
    return this.length ? (seconds - this.from) / this.length : 0;
  }

  /** The position at a place of the picture. */
  seconds(share) {
    return this.from + share * this.length;
  }

  get #shortest() {
    return Math.min(SHORTEST_SECONDS, this.duration);
  }
}
