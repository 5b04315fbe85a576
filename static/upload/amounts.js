// Formats sizes and durations for people.
import { translate } from "../translation.js";

const KB = 1 << 10;
const MB = 1 << 20;

/** A number of bytes: "56 kB", "34 MB", "1.2 GB". */
export function size(bytes) {
  if (bytes >= 1000 * MB) return translate("{number} GB", { number: rounded(bytes / (1024 * MB)) });
  if (bytes >= 100 * KB) return translate("{number} MB", { number: rounded(bytes / MB) });
  return translate("{number} kB", { number: rounded(bytes / KB) });
}

/** A length of time: "20 s", "3 min", "1 h 5 min". */
export function duration(seconds) {
  if (seconds < 55) return translate("{seconds} s", { seconds: Math.max(1, Math.round(seconds)) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return translate("{minutes} min", { minutes });
  return translate("{hours} h {minutes} min", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

function rounded(number) {
  const digits = number < 10 ? 1 : 0;
  return number.toLocaleString(document.documentElement.lang, { maximumFractionDigits: digits });
}
