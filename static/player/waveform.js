// Draws a waveform from its peaks: pairs (lowest, highest) of signed bytes, full scale 127.
export function drawWaveform(canvas, peaks, colour) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const nbPairs = peaks.length / 2;
  context.clearRect(0, 0, width, height);
  context.fillStyle = colour;
  for (let x = 0; x < width; x++) {
    const from = Math.floor((x * nbPairs) / width);
    const to = Math.max(from + 1, Math.floor(((x + 1) * nbPairs) / width));
    const [low, high] = extremes(peaks.subarray(2 * from, 2 * to));
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
