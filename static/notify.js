// A button by which the visitor is told, by the system, when the job is done.
import { say } from "/static/words.js";

let wanted = false;

/** Show the button of `place`, and below it what it did, where the browser can do it. */
export function offer(place) {
  const [button, words] = place.children;
  place.hidden = !isPossible();
  button.addEventListener("click", async () => {
    wanted = !wanted && (await Notification.requestPermission()) === "granted";
    button.ariaPressed = wanted;
    words.textContent = wanted ? say("You will be told when it is done.") : whyNot();
  });
}

/** Tell it, if the visitor asked for it; a click on it leads back here. */
export function tell(sentence, name) {
  if (!wanted) return;
  new Notification(sentence, { body: name }).onclick = () => window.focus();
}

function whyNot() {
  return Notification.permission === "denied" ? say("Your browser does not allow notifications from here.") : "";
}

function isPossible() {
  if (!window.isSecureContext || !("Notification" in window)) return false;
  if (Notification.permission === "granted") return true;
  try {
    new Notification(""); // shows nothing without permission, but some browsers only let a service worker do it
    return true;
  } catch {
    return false;
  }
}
