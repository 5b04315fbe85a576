// What the pictures show: the zoom, its scroll bar, and waveforms or spectrograms.
const FINEST_SECONDS = 40; // a view up to this length is drawn from the samples themselves
const NB_PAIRS = 3000; // of peaks, for one and a half times the view
const SETTLE_MS = 120; // after which a view that is changing is drawn finely

export class ZoomTools {
  #timer = 0;
  #nbRequests = 0;

  constructor(find, view, transport, rows) {
    Object.assign(this, { find, view, transport, rows, isSpectral: false });
    find(".zoom-in").addEventListener("click", () => this.zoom(1));
    find(".zoom-out").addEventListener("click", () => this.zoom(-1));
    find(".spectrogram").addEventListener("click", () => this.toggleSpectrogram());
    find(".scroll").addEventListener("input", ({ target }) => view.show(target.valueAsNumber, view.length));
    view.addEventListener("change", () => this.#show());
    transport.addEventListener("peaks", ({ detail }) => this.#showDetail(detail));
  }

  zoom(steps) {
    this.view.zoom(steps, this.transport.position);
  }

  toggleSpectrogram() {
    this.isSpectral = !this.isSpectral;
    this.find(".spectrogram").setAttribute("aria-pressed", this.isSpectral);
    this.find(".tracks").classList.toggle("spectral", this.isSpectral);
    for (const row of this.rows) row.picture.show(this.isSpectral);
  }

  #show() {
    const { view } = this;
    const scroll = this.find(".scroll");
    scroll.hidden = view.isWhole;
    scroll.max = view.duration - view.length;
    scroll.value = view.from;
    this.find(".zoom-in").disabled = view.isClosest;
    this.find(".zoom-out").disabled = view.isWhole;
    clearTimeout(this.#timer);
    if (view.length <= FINEST_SECONDS && !view.isWhole) this.#timer = setTimeout(() => this.#askForDetail(), SETTLE_MS);
  }

  #askForDetail() {
    const { from, to, length, duration } = this.view;
    const stretch = { from: Math.max(0, from - length / 4), to: Math.min(duration, to + length / 4) };
    this.transport.ask({ type: "peaks", id: ++this.#nbRequests, nbPairs: NB_PAIRS, ...stretch });
  }

  #showDetail({ id, from, to, peaks }) {
    if (id !== this.#nbRequests) return;
    this.rows.forEach((row, i) => peaks[i] && row.picture.showDetail(from, to, peaks[i]));
  }
}
