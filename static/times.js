// Shows dates in the visitor's own time zone and language; the server knows only its own.
const FORMAT = { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };

/** Rewrite the dates below `root`. */
export function showOwnTimes(root) {
  for (const time of root.querySelectorAll("time[data-date]")) {
    time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, FORMAT);
  }
}

showOwnTimes(document);
