// "Send file" sleeps until a file is chosen, and while the file is being sent.
import { say } from "/static/words.js";

const form = document.getElementById("upload");
const file = document.getElementById("file");
const send = document.getElementById("send");

function wakeOrSleep() {
  send.disabled = file.files.length === 0;
}

form.addEventListener("submit", () => {
  send.disabled = true;
  send.textContent = say("Sending…");
});
file.addEventListener("change", wakeOrSleep);
window.addEventListener("pageshow", () => {
  send.textContent = say("Send file"); // the page may come back from the browser's history as it was left
  wakeOrSleep();
});
