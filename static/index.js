// The home page: files are chosen or dropped, looked at, and sent one after another, each a job of its own.
import { announce } from "/static/live.js";
import { Line } from "/static/upload/line.js";
import { say } from "/static/words.js";

const form = document.getElementById("upload");
const field = document.getElementById("file");
const send = document.getElementById("send");
const list = document.getElementById("files");
const onward = document.getElementById("onward");
const maxBytes = Number(form.dataset.maxBytes);
let lines = [];
let busy = false;

// Without this script, only one file can be sent, and none dropped.
field.multiple = true;
document.getElementById("several").hidden = false;

/** As new; the page may come back from the browser's history as it was left. */
function restart() {
  onward.hidden = true;
  drop(lines);
  choose();
}

async function choose() {
  drop(lines.filter((line) => line.state === "chosen" || line.state === "refused"));
  const chosen = Array.from(field.files, (file) => new Line(file, maxBytes));
  for (const line of chosen) add(line);
  wakeOrSleep();
  await Promise.all(chosen.map((line) => line.checked));
  wakeOrSleep();
}

function add(line) {
  lines.push(line);
  list.append(line.element);
  line.button.addEventListener("click", ({ detail }) => {
    if (detail > 1) return; // a double click means what its first half said
    if (line.isUnderWay) line.cancel();
    else queue([line]);
  });
}

function drop(unwanted) {
  for (const line of unwanted) line.element.remove();
  lines = lines.filter((line) => !unwanted.includes(line));
}

function wakeOrSleep() {
  send.disabled = !lines.some((line) => line.state === "chosen");
}

function queue(more) {
  for (const line of more) line.wait();
  if (!busy) sendAll();
}

async function sendAll() {
  busy = true;
  for (let line; (line = lines.find(({ state }) => state === "waiting")); ) await line.send(form.action);
  busy = false;
  goOn();
}

/** To the next page, if nothing is left here that the visitor should see. */
function goOn() {
  const sent = lines.filter((line) => line.state === "sent");
  onward.hidden = sent.length === 0;
  if (sent.length === lines.length) location.assign(lines.length === 1 ? lines[0].page : onward.firstElementChild.href);
  else if (sent.length) announce(say("Sent: {sent} of {all} files.", { sent: sent.length, all: lines.length }));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = lines.filter((line) => line.state === "chosen");
  form.reset();
  queue(chosen);
  wakeOrSleep();
  chosen[0].element.focus(); // the button sleeps now
});
field.addEventListener("change", choose);

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  document.body.classList.remove("dropping");
  field.files = event.dataTransfer.files;
  choose().then(() => send.focus());
});

window.addEventListener("beforeunload", (event) => {
  if (busy) event.preventDefault();
});
window.addEventListener("pageshow", () => {
  if (!busy) restart();
});
restart();
