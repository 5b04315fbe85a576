// Announcements for screen readers: important changes, and not every percent.
const log = document.getElementById("said");
const KEPT = 5; // sentences, since one may follow another before it is read aloud

export function announce(sentence) {
  if (log.lastElementChild?.textContent === sentence) return; // otherwise it would be read again
  const line = document.createElement("p");
  line.textContent = sentence;
  log.append(line);
  if (log.childElementCount > KEPT) log.firstElementChild.remove();
}

/** Rounded down to a multiple of ten, so that progress is announced ten times and not a hundred. */
export function tens(percent) {
  return Math.floor(percent / 10) * 10;
}
