// Tempo and pitch: two sliders and a button that resets both.
const SETTLE_MS = 80; // after which a slider that is being dragged during playback is taken over

export class TempoTools {
  #timer = 0;

  constructor(find, transport) {
    Object.assign(this, { transport, tempo: find(".tempo"), pitch: find(".pitch"), reset: find(".reset"), find });
    for (const field of [this.tempo, this.pitch]) field.addEventListener("input", () => this.#changed());
    this.reset.addEventListener("click", () => this.restore({ tempo: 1, semitones: 0 }));
    this.#show();
  }

  get isChanged() {
    return this.transport.tempo !== 1 || this.transport.semitones !== 0;
  }

  get state() {
    return { tempo: this.transport.tempo, semitones: this.transport.semitones };
  }

  restore({ tempo, semitones }) {
    this.tempo.value = 100 * tempo;
    this.pitch.value = semitones;
    this.#show();
    this.#apply();
  }

  #changed() {
    this.#show();
    clearTimeout(this.#timer);
    if (this.transport.isPlaying) this.#timer = setTimeout(() => this.#apply(), SETTLE_MS);
    else this.#apply(); // so that the first sound has the new tempo
  }

  #apply() {
    this.transport.setTempo(this.tempo.valueAsNumber / 100, this.pitch.valueAsNumber);
    this.reset.disabled = !this.isChanged;
  }

  #show() {
    const [tempo, semitones] = [`${this.tempo.value} %`, signed(this.pitch.valueAsNumber)];
    this.find(".tempo-value").textContent = tempo;
    this.find(".pitch-value").textContent = semitones;
    this.tempo.setAttribute("aria-valuetext", tempo);
    this.pitch.setAttribute("aria-valuetext", semitones);
  }
}

export function signed(number) {
  return number > 0 ? `+${number}` : String(number).replace("-", "−");
}
