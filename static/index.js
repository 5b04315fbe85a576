// "Send file" sleeps until a file is chosen, and while the file is being sent.
const form = document.getElementById("upload");
const file = document.getElementById("file");
const send = document.getElementById("send");

function wakeOrSleep() {
  send.disabled = file.files.length === 0;
}

form.addEventListener("submit", () => {
  send.disabled = true;
  send.textContent = "Sending…";
});
file.addEventListener("change", wakeOrSleep);
window.addEventListener("pageshow", () => {
  send.textContent = "Send file"; // the page may come back from the browser's history as it was left
  wakeOrSleep();
});
