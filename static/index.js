// The home page: files are chosen or dropped, checked, and uploaded one after another, each as a job of its own.
import { announce } from "./live.js";
import { Line } from "./upload/line.js";
import { translate } from "./translation.js";

const form = document.getElementById("upload");
const field = document.getElementById("file");
const send = document.getElementById("send");
const split = document.getElementById("split");
const list = document.getElementById("files");
const onward = document.getElementById("onward");
const maxBytes = Number(form.dataset.maxBytes);
let lines = [];
let busy = false;

// Without this script, only one file can be uploaded, and none can be dropped.
field.multiple = true;
document.getElementById("several").hidden = false;

/** Reset the page, which may come back from the browser's history in its former state. */
function restart() {
  onward.hidden = true;
  drop(lines);
  choose();
}

async function choose() {
  drop(lines.filter((line) => line.state === "chosen" || line.state === "refused"));
  const chosen = Array.from(field.files, (file) => new Line(file, maxBytes));
  for (const line of chosen) add(line);
  showChoice();
  await Promise.all(chosen.map((line) => line.checked));
  showChoice();
}

function add(line) {
  lines.push(line);
  list.append(line.element);
  line.button.addEventListener("click", ({ detail }) => {
    if (detail > 1) return; // the second click of a double click
    if (line.isUnderWay) line.cancel();
    else queue([line]);
  });
}

function drop(unwanted) {
  for (const line of unwanted) line.element.remove();
  lines = lines.filter((line) => !unwanted.includes(line));
}

function showChoice() {
  const number = lines.filter((line) => line.state === "chosen").length;
  send.disabled = split.disabled = number === 0;
  send.textContent = number > 1 ? translate("Send files") : translate("Send file");
  form.classList.toggle("listed", lines.length > 0); // the list has the names, so the field need not show them
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

/** Open the next page, unless the visitor should see something on this one. */
function goOn() {
  const sent = lines.filter((line) => line.state === "sent");
  onward.hidden = sent.length === 0;
  if (sent.length === lines.length) location.assign(lines.length === 1 ? lines[0].page : onward.firstElementChild.href);
  else if (sent.length) announce(translate("Sent: {sent} of {all} files.", { sent: sent.length, all: lines.length }));
}

/** The chosen options, if the files are to be separated as soon as they are uploaded; null if not. */
function options(button) {
  return button === split ? new URLSearchParams([...new FormData(form)].filter(([name]) => name !== field.name)) : null;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = lines.filter((line) => line.state === "chosen");
  for (const line of chosen) line.options = options(event.submitter);
  field.value = "";
  queue(chosen);
  showChoice();
  chosen[0].element.focus(); // the button is disabled now
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
