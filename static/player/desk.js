// The mixing desk: all tracks sound through one audio graph. So they have one clock, which keeps them in step to the
// sample (media elements of their own drift by 200 ms when one is muted), and levels that change without a click.
const FADE = 0.015; // s, time constant

export class Desk {
  #levels = new Map(); // element → 0 to 1
  #gains = new Map(); // element → GainNode, once it is open
  #context = null;

  /** Let `element` sound at `level`. */
  setLevel(element, level) {
    this.#levels.set(element, level);
    this.#gains.get(element)?.gain.setTargetAtTime(level, this.#context.currentTime, FADE);
  }

  /** Let the sound go on. The first time, it must be a visitor's click or key that leads here. */
  async run() {
    await this.#context.resume();
  }

  /** Hold all tracks at once. The graph is made here: browsers refuse it before a click or key. */
  async hold() {
    this.#context ??= this.#wire(new AudioContext({ latencyHint: "playback" }));
    await this.#context.suspend();
  }

  #wire(context) {
    for (const [element, level] of this.#levels) {
      const gain = new GainNode(context, { gain: level });
      context.createMediaElementSource(element).connect(gain).connect(context.destination);
      this.#gains.set(element, gain);
    }
    return context;
  }
}
