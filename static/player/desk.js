// The mixing desk: one input per track, with a level and a meter. Its clock is that of the AudioContext.
const FADE = 0.012; // s, time constant of a change of level
const METER_SAMPLES = 2048;
// In Firefox, the getter of the output latency and the audio callback can wait for each other, and the page hangs for good.
const MAY_ASK_FOR_LATENCY = !navigator.userAgent.includes("Firefox/");

export class Desk {
  #levels = []; // by track
  #strips = []; // by track: { input, meter }, once there is a context
  #context = null;
  #samples = new Float32Array(METER_SAMPLES);

  setLevel(index, level) {
    this.#levels[index] = level;
    const gain = this.#strips[index]?.input.gain;
    if (gain) gain.setTargetAtTime(level, this.#context.currentTime, FADE);
  }

  /** The context is created here, since browsers refuse it before a click or a key. `sampleRate`: null for any. */
  resume(sampleRate) {
    if (!this.#context) this.#wire(new AudioContext({ latencyHint: "interactive", ...(sampleRate && { sampleRate }) }));
    this.#context.resume(); // not awaited: without a sound card, Firefox never reports that it runs
  }

  suspend() {
    this.#context?.suspend();
  }

  get sampleRate() {
    return this.#context.sampleRate;
  }

  /** The time of what is rendered next, s. */
  get now() {
    return this.#context.currentTime;
  }

  /** The time of what is heard at the moment, s. */
  get heardTime() {
    const latency = MAY_ASK_FOR_LATENCY ? this.#context.outputLatency : 0;
    return this.#context.currentTime - (latency > 0 && latency < 1 ? latency : 0);
  }

  /** The number of the first sample at or after `time`. */
  frameAt(time) {
    return Math.ceil(time * this.sampleRate);
  }

  peak(index) {
    const strip = this.#strips[index];
    if (!strip) return 0;
    strip.meter.getFloatTimeDomainData(this.#samples);
    return this.#samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
  }

  /** A source of `[left, right]` for the track `index`, which runs through `fader`. */
  source([left, right], fader) {
    const buffer = new AudioBuffer({ length: left.length, numberOfChannels: 2, sampleRate: this.sampleRate });
    buffer.copyToChannel(left, 0);
    buffer.copyToChannel(right, 1);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(fader);
    return source;
  }

  /** A gain node before the input of track `index`. */
  fader(index) {
    const fader = new GainNode(this.#context, { gain: 0 });
    fader.connect(this.#strips[index].input);
    return fader;
  }

  #wire(context) {
    if (navigator.audioSession) navigator.audioSession.type = "playback"; // heard on an iPhone that is set to silent
    this.#context = context;
    this.#strips = this.#levels.map((level) => {
      const input = new GainNode(context, { gain: level });
      const meter = new AnalyserNode(context, { fftSize: METER_SAMPLES });
      input.connect(meter).connect(context.destination);
      return { input, meter };
    });
  }
}
