// Which tracks play, and at which level. Tracks belong to sets that are alternatives (the original; the stems; another
// model's stems), since each set adds up to the same song: one set plays at a time.
export const ORIGINAL = "mixture";

export class Mixer extends EventTarget {
  /** `tracks`: [{ name, set }]; they get `muted`, `solo` and `volume`. Dispatches "change". */
  constructor(tracks) {
    super();
    this.tracks = tracks;
    this.sets = [...new Set(tracks.map((track) => track.set))];
    this.set = this.sets.find((set) => set !== ORIGINAL) ?? ORIGINAL;
    this.lastStems = this.set;
    for (const track of tracks) Object.assign(track, { muted: false, solo: false, volume: 1 });
  }

  /** Play this set and no other. */
  choose(set) {
    this.set = set;
    if (set !== ORIGINAL) this.lastStems = set;
    this.#tell();
  }

  /** Switch between the original and the stems that were played last. */
  toggleOriginal() {
    this.choose(this.set === ORIGINAL ? this.lastStems : ORIGINAL);
  }

  /** Switch to the next set of stems. */
  chooseNextStems() {
    const sets = this.sets.filter((set) => set !== ORIGINAL);
    this.choose(sets[(sets.indexOf(this.lastStems) + 1) % sets.length]);
  }

  toggleMute(track) {
    track.muted = !track.muted;
    this.#tell();
  }

  toggleSolo(track) {
    track.solo = !track.solo;
    this.#tell();
  }

  setVolume(track, volume) {
    track.volume = volume;
    this.#tell();
  }

  /** Play the stems with these names, and mute the others. */
  preset(names) {
    for (const track of this.tracks) Object.assign(track, { muted: !names.includes(track.name), solo: false });
    if (this.set === ORIGINAL) this.choose(this.lastStems);
    else this.#tell();
  }

  isPreset(names) {
    const stems = this.tracks.filter((track) => track.set !== ORIGINAL);
    return this.set !== ORIGINAL && stems.every((track) => !track.solo && track.muted === !names.includes(track.name));
  }

  /** The level of a track, a factor. If any track of its set is solo, only those play; otherwise all that are not muted. */
  level(track) {
    if (track.set !== this.set) return 0;
    if (track.set === ORIGINAL) return 1;
    const hasSolo = this.tracks.some((other) => other.set === track.set && other.solo);
    return (hasSolo ? track.solo : !track.muted) ? track.volume : 0;
  }

  /** The level of each stem, by name, in the present mix; the original is all stems at level 1. */
  stemLevels() {
    const stems = this.tracks.filter((track) => track.set === this.lastStems);
    return new Map(stems.map((track) => [track.name, this.set === ORIGINAL ? 1 : this.level(track)]));
  }

  get state() {
    return { set: this.set, tracks: this.tracks.map(({ muted, solo, volume }) => ({ muted, solo, volume })) };
  }

  /** Restore a `state`. */
  restore({ set, tracks }) {
    tracks.forEach((state, i) => Object.assign(this.tracks[i], state));
    if (set !== ORIGINAL) this.lastStems = set;
    this.choose(set);
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
