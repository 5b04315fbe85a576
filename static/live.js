// What a screen reader says aloud: what matters, not each percent.
const log = document.getElementById("said");
const KEPT = 5; // sentences, since one may follow another before it is said

export function announce(sentence) {
  if (log.lastElementChild?.textContent === sentence) return; // else it would be said again
  const line = document.createElement("p");
  line.textContent = sentence;
  log.append(line);
  if (log.childElementCount > KEPT) log.firstElementChild.remove();
}

/** Down to the ten below, so that progress is said ten times and not a hundred. */
export function tens(percent) {
  return Math.floor(percent / 10) * 10;
}
