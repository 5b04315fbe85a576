// Draws a waveform from its peaks: pairs (lowest, highest) of signed bytes, full scale 127.
/** The part of the peaks between the shares `from` and `to`, 0 to 1, fills the canvas. */
export function drawWaveform(canvas, peaks, colour, from, to) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const nbPairs = peaks.length / 2;
  const pair = (x) => Math.floor((from + ((to - from) * x) / width) * nbPairs);
  context.clearRect(0, 0, width, height);
  context.fillStyle = colour;
  for (let x = 0; x < width; x++) {
    const first = pair(x);
    const [low, high] = extremes(peaks.subarray(2 * first, 2 * Math.max(first + 1, pair(x + 1))));
    const top = (0.5 - high / 256) * height;
    context.fillRect(x, top, 1, Math.max(1, ((high - low) / 256) * height)); // silence is a thin line
  }
}

function extremes(peaks) {
  let [low, high] = [0, 0];
  for (const peak of peaks) {
    low = Math.min(low, peak);
    high = Math.max(high, peak);
  }
  return [low, high];
}
