// The player of the result page and of the comparison: connects the page (player.html, track.html) to its parts.
import { clock, lengthClock } from "./clock.js";
import { listenToKeys } from "./keys.js";
import { LoopTools } from "./loop_tools.js";
import { MixDownload } from "./mix_download.js";
import { Mixer, ORIGINAL } from "./mixer.js";
import { listenToPointer } from "./pointer.js";
import { areKeysEnabled, enableKeys, Settings } from "./settings.js";
import { TempoTools } from "./tempo_tools.js";
import { TrackRow } from "./track_row.js";
import { Transport } from "./transport.js";
import { View } from "./view.js";
import { ZoomTools } from "./zoom_tools.js";
import { translate } from "../translation.js";

const STEP_SECONDS = 5;
const SAVE_MS = 500;

const player = document.querySelector(".player");
const find = (selector) => player.querySelector(selector);
const view = new View(Number(player.dataset.seconds));
const rows = [...player.querySelectorAll("[data-track]")].map((item, index) => new TrackRow(item, index, view));
const stems = rows.filter((row) => row.set !== ORIGINAL);
const mixer = new Mixer(rows);
const transport = new Transport(rows.map((row) => row.url), view.duration);
const loopTools = new LoopTools(find, transport, tell);
const tempoTools = new TempoTools(find, transport);
const zoomTools = new ZoomTools(find, view, transport, rows);
const mixLink = document.querySelector("[data-mix]");
const mixDownload = mixLink && new MixDownload(mixLink, document.querySelector(".rendering"), mixer, transport);
const settings = new Settings(player.dataset.jobs);

let current = stems[0]; // the track that was last used
let dragged = null; // the position that the visitor drags the slider to, s
let saving = 0;
let nextFrame = 0;

function tell(sentence) {
  find(".message").textContent = sentence;
}

function showTime() {
  const seek = find(".seek");
  const seconds = dragged ?? transport.position;
  player.style.setProperty("--at", view.share(seconds));
  find(".elapsed").textContent = clock(seconds, true);
  seek.value = seconds;
  seek.setAttribute("aria-valuetext", `${clock(seconds)} / ${clock(transport.duration)}`);
}

function showLoop(loop = transport.loop) {
  player.classList.toggle("looping", Boolean(loop));
  player.style.setProperty("--from", loop ? view.share(loop.from) : 0);
  player.style.setProperty("--to", loop ? view.share(loop.to) : 1);
  loopTools.show(loop ?? undefined);
}

function showTransport() {
  player.classList.toggle("playing", transport.isPlaying);
  showLoop();
  showTime();
  save();
}

function showMixer() {
  transport.setLevels(rows.map((row) => mixer.level(row)));
  for (const row of rows) row.show(mixer.level(row) === 0);
  for (const button of player.querySelectorAll("[data-choose]")) {
    button.setAttribute("aria-pressed", button.dataset.choose === mixer.set);
  }
  for (const button of player.querySelectorAll(".preset")) {
    button.setAttribute("aria-pressed", mixer.isPreset(button.dataset.stems.split(" ")));
  }
  player.classList.toggle("original", mixer.set === ORIGINAL);
  mixDownload?.show();
  save();
}

/** Show what moves, as long as it moves. */
function animate() {
  for (const row of rows) row.showPeak(transport.peak(row.index));
  if (transport.isPlaying) view.follow(transport.position);
  showTime();
  if (transport.isPlaying) startToAnimate();
}

/** Draw the next frame. Every change of the transport calls this, and there must be only one sequence of frames. */
function startToAnimate() {
  cancelAnimationFrame(nextFrame);
  nextFrame = requestAnimationFrame(animate);
}

function use(row) {
  current = row;
  for (const other of rows) other.item.classList.toggle("current", other === row);
}

function open() {
  const { formats, duration } = transport;
  rows.forEach((row, i) => formats[i] || row.set === ORIGINAL || row.playAlone());
  find(`[data-choose="${ORIGINAL}"]`).disabled = !formats[rows.findIndex((row) => row.set === ORIGINAL)];
  find(".total").textContent = lengthClock(duration);
  find(".seek").max = duration;
  view.setDuration(duration);
  restore(settings.load());
  player.classList.add("open");
}

function restore({ mix, loop, tempo, position, shown, isSpectral }) {
  if (position) transport.seek(position);
  if (mix?.tracks.length === rows.length) mixer.restore(mix);
  if (loop) loopTools.restore(loop);
  if (tempo) tempoTools.restore(tempo);
  if (shown) view.show(shown.from, shown.length);
  if (isSpectral) zoomTools.toggleSpectrogram();
}

/** Save what is set, a moment later, since it may change again at once. */
function save() {
  clearTimeout(saving);
  if (player.classList.contains("open")) saving = setTimeout(saveNow, SAVE_MS);
}

function saveNow() {
  settings.save({
    mix: mixer.state,
    loop: loopTools.state,
    tempo: tempoTools.state,
    position: transport.position,
    shown: { from: view.from, length: view.length },
    isSpectral: zoomTools.isSpectral,
  });
}

function wireTransport() {
  const seek = find(".seek");
  find(".play").addEventListener("click", () => transport.toggle());
  seek.addEventListener("input", () => drag(seek.valueAsNumber));
  seek.addEventListener("change", () => drop(seek.valueAsNumber));
  transport.addEventListener("opened", open);
  transport.addEventListener("time", showTransport);
  transport.addEventListener("change", showTransport);
  transport.addEventListener("change", () => transport.isPlaying && startToAnimate());
  transport.addEventListener("waiting", ({ detail }) => tell(detail.isWaiting ? translate("The server does not respond. Retrying.") : ""));
  transport.addEventListener("gone", () => {
    transport.pause();
    tell(translate("There is no such file here. Expired files are deleted."));
  });
  view.addEventListener("change", showTransport);
  addEventListener("pagehide", () => player.classList.contains("open") && saveNow());
}

function drag(seconds) {
  dragged = seconds;
  showTime();
}

function drop(seconds) {
  dragged = null;
  transport.seek(seconds);
}

function wireMixer() {
  mixer.addEventListener("change", showMixer);
  for (const button of player.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => mixer.choose(button.dataset.choose));
  }
  for (const button of player.querySelectorAll(".preset")) {
    button.addEventListener("click", () => mixer.preset(button.dataset.stems.split(" ")));
  }
}

function wireRow(row) {
  row.wire(mixer);
  for (const type of ["pointerdown", "focusin"]) row.item.addEventListener(type, () => use(row));
  listenToPointer(row.find(".picture"), view, () => transport.loop, {
    seek: drop,
    select: showLoop,
    loop: (loop) => loopTools.set(loop),
    leave: showTransport,
    hover: (seconds, x) => showPointer(row.find(".pointer"), seconds, x),
  });
}

function showPointer(pointer, seconds, x) {
  pointer.textContent = seconds === null ? "" : clock(seconds, true);
  pointer.style.setProperty("--x", `${x}px`);
  pointer.classList.toggle("flipped", x > pointer.parentElement.clientWidth / 2);
}

function wireKeys() {
  const enabled = find(".keys-on");
  enabled.checked = areKeysEnabled();
  enabled.addEventListener("change", () => enableKeys(enabled.checked));
  const commands = {
    " ": () => transport.toggle(),
    arrowleft: () => transport.seek(transport.position - STEP_SECONDS),
    arrowright: () => transport.seek(transport.position + STEP_SECONDS),
    o: () => mixer.toggleOriginal(),
    x: () => mixer.chooseNextStems(),
    m: () => mixer.toggleMute(current),
    s: () => mixer.toggleSolo(current),
    l: () => loopTools.toggle(),
    "[": () => loopTools.from(),
    "]": () => loopTools.to(),
    "+": () => zoomTools.zoom(1),
    "-": () => zoomTools.zoom(-1),
    number: (number) => stems[number - 1] && (use(stems[number - 1]), mixer.toggleMute(stems[number - 1])),
  };
  listenToKeys(commands, () => enabled.checked);
}

function wireMediaKeys() {
  navigator.mediaSession?.setActionHandler("play", () => transport.play());
  navigator.mediaSession?.setActionHandler("pause", () => transport.pause());
}

wireTransport();
wireMixer();
rows.forEach(wireRow);
wireKeys();
wireMediaKeys();
showMixer();
showTransport();
for (const hidden of document.querySelectorAll("[data-with-script]")) hidden.hidden = false;
for (const row of rows) row.item.hidden = row.set === ORIGINAL;
