// Which tracks sound, and how loud. Tracks of different sets (the mixture; the stems; another model's stems) are
// alternatives, since each set adds up to the same song: to turn on a track of one set turns off those of the others.
export const MIXTURE = "mixture";

export class Mixer extends EventTarget {
  /** `tracks`: [{ name, set, element }]; they get `muted`, `solo` and `volume`. Tells "change". */
  constructor(tracks, desk) {
    super();
    this.tracks = tracks;
    this.desk = desk;
    const first = tracks.find((track) => track.set !== MIXTURE) ?? tracks[0];
    for (const track of tracks) Object.assign(track, { muted: track.set !== first.set, solo: false, volume: 1 });
    this.#apply();
  }

  toggleMute(track) {
    track.muted = !track.muted;
    if (!track.muted) for (const other of this.#alternatives(track)) other.muted = true;
    this.#apply();
  }

  toggleSolo(track) {
    track.solo = !track.solo;
    if (track.solo) for (const other of this.#alternatives(track)) other.solo = false;
    this.#apply();
  }

  setVolume(track, volume) {
    track.volume = volume;
    this.#apply();
  }

  /** How loud a track sounds, 0 to 1: if any is solo, those that are; else those that are not muted. */
  level(track) {
    const sounds = this.tracks.some((other) => other.solo) ? track.solo : !track.muted;
    return sounds ? track.volume : 0;
  }

  /** The level of each stem, by name, that gives what sounds now; the mixture is all of them alike. */
  stemLevels() {
    const whole = this.tracks.filter((track) => track.set === MIXTURE).map((track) => this.level(track));
    const stems = this.tracks.filter((track) => track.set !== MIXTURE);
    return new Map(stems.map((track) => [track.name, Math.max(this.level(track), ...whole)]));
  }

  #alternatives(track) {
    return this.tracks.filter((other) => other.set !== track.set);
  }

  #apply() {
    for (const track of this.tracks) this.desk.setLevel(track.element, this.level(track));
    this.dispatchEvent(new Event("change"));
  }
}
