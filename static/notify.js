// A button that asks for a system notification when the job is done.
import { translate } from "./translation.js";

let wanted = false;

/** Show the button in `place` and its result below it, if the browser supports notifications. */
export function offer(place) {
  const [button, words] = place.children;
  place.hidden = !isPossible();
  button.addEventListener("click", async () => {
    wanted = !wanted && (await Notification.requestPermission()) === "granted";
    button.ariaPressed = wanted;
    words.textContent = wanted ? translate("You will be notified when it is done.") : whyNot();
  });
}

/** Show the notification, if the visitor asked for it. A click on it leads back to this page. */
export function tell(sentence, name) {
  if (!wanted) return;
  new Notification(sentence, { body: name }).onclick = () => window.focus();
}

function whyNot() {
  return Notification.permission === "denied" ? translate("Your browser does not allow notifications from this site.") : "";
}

function isPossible() {
  if (!window.isSecureContext || !("Notification" in window)) return false;
  if (Notification.permission === "granted") return true;
  try {
    new Notification(""); // shows nothing without permission; throws where only a service worker may notify
    return true;
  } catch {
    return false;
  }
}
