// The peaks of a stretch of a track, for a waveform that is magnified beyond what the server has drawn.
const NB_SAMPLES_AT_ONCE = 1 << 16;

/** `nbPairs` pairs (lowest, highest) of signed bytes between `from` and `to`, in seconds; full scale is 127. */
export async function peaksOf(reader, from, to, nbPairs) {
  const peaks = new Float32Array(2 * nbPairs);
  const [first, last] = [Math.floor(from * reader.sampleRate), Math.ceil(to * reader.sampleRate)];
  for (let start = first; start < last; start += NB_SAMPLES_AT_ONCE) {
    const [left, right] = await reader.read(start, Math.min(NB_SAMPLES_AT_ONCE, last - start));
    for (let i = 0; i < left.length; i++) {
      const pair = Math.min(nbPairs - 1, Math.floor(((start + i - first) * nbPairs) / (last - first)));
      const sample = 63.5 * (left[i] + right[i]);
      if (sample < peaks[2 * pair]) peaks[2 * pair] = sample;
      if (sample > peaks[2 * pair + 1]) peaks[2 * pair + 1] = sample;
    }
  }
  return Int8Array.from(peaks, (peak) => Math.max(-127, Math.min(127, Math.round(peak))));
}
