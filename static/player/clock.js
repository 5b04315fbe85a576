// Times as they are shown.
/** 0:07, 3:25, 1:02:03; with `tenths`: 0:07.5. A length of less than a second: 0:00.01. */
export function clock(seconds, tenths = false) {
  const digits = tenths ? 1 : 0;
  const rounded = Math.round(seconds * 10 ** digits) / 10 ** digits;
  const whole = Math.floor(rounded + 1e-9);
  const rest = (rounded - 60 * Math.floor(whole / 60)).toFixed(digits).padStart(digits ? 4 : 2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function lengthClock(seconds) {
  return seconds < 0.995 ? `0:${seconds.toFixed(2).padStart(5, "0")}` : clock(seconds);
}
