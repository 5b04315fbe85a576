// The player: wires what is in the page (player.html, track.html) to the transport, the mixer and the pictures.
import { Desk } from "/static/player/desk.js";
import { listenToKeys } from "/static/player/keys.js";
import { Mixer, MIXTURE } from "/static/player/mixer.js";
import { Picture } from "/static/player/picture.js";
import { listenToPointer } from "/static/player/pointer.js";
import { Transport } from "/static/player/transport.js";

const STEP_SECONDS = 5;

const player = document.querySelector(".player");
const find = (selector) => player.querySelector(selector);
const tracks = [...player.querySelectorAll("[data-track]")].map((item) => ({
  item,
  name: item.dataset.name,
  set: item.dataset.set,
  element: item.querySelector("audio"),
  picture: new Picture(item.querySelector("canvas"), item.dataset.peaks, item.dataset.spectrogram),
}));
const desk = new Desk();
const mixer = new Mixer(tracks, desk);
const transport = new Transport(tracks.map((track) => track.element), Number(player.dataset.seconds), desk);

let dragged = null; // where the visitor is dragging to, s

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function showTime() {
  const seek = find(".seek");
  const seconds = dragged ?? transport.time;
  player.style.setProperty("--at", seconds / transport.duration);
  find(".elapsed").textContent = clock(seconds);
  find(".total").textContent = clock(transport.duration);
  seek.max = transport.duration;
  seek.value = seconds;
  seek.setAttribute("aria-valuetext", `${clock(seconds)} / ${clock(transport.duration)}`);
}

function showLoop(loop = transport.loop) {
  player.classList.toggle("looping", loop !== null);
  player.style.setProperty("--from", loop ? loop.from / transport.duration : 0);
  player.style.setProperty("--to", loop ? loop.to / transport.duration : 1);
  find(".loop").setAttribute("aria-pressed", loop !== null);
  find(".part").textContent = loop ? `${clock(loop.from)} – ${clock(loop.to)}` : "";
}

function showTransport() {
  player.classList.toggle("playing", transport.playing);
  showLoop();
  showTime();
}

function showMixer() {
  for (const track of tracks) {
    track.item.classList.toggle("silent", mixer.level(track) === 0);
    track.item.querySelector(".mute").setAttribute("aria-pressed", track.muted);
    track.item.querySelector(".solo").setAttribute("aria-pressed", track.solo);
  }
  const mix = document.querySelector("[data-mix]");
  if (mix) mix.href = `${mix.dataset.mix}&${new URLSearchParams([...mixer.stemLevels()])}`;
}

function wireTransport() {
  const seek = find(".seek");
  find(".play").addEventListener("click", () => transport.toggle());
  seek.addEventListener("input", () => drag(seek.valueAsNumber));
  seek.addEventListener("change", () => drop(seek.valueAsNumber));
  find(".loop-from").addEventListener("click", () => loopFrom(transport.time));
  find(".loop-to").addEventListener("click", () => transport.repeat(transport.loop?.from ?? 0, transport.time));
  find(".loop").addEventListener("click", () => transport.repeat(transport.loop ? null : 0, transport.duration));
  find(".spectrogram").addEventListener("click", toggleSpectrogram);
  transport.addEventListener("time", showTime);
  transport.addEventListener("change", showTransport);
}

function drag(seconds) {
  dragged = seconds;
  showTime();
}

function drop(seconds) {
  dragged = null;
  transport.seek(seconds);
}

function loopFrom(seconds) {
  const end = transport.loop?.to ?? transport.duration;
  transport.repeat(seconds, end > seconds ? end : transport.duration);
}

function toggleSpectrogram() {
  const isOn = player.classList.toggle("spectral");
  find(".spectrogram").setAttribute("aria-pressed", isOn);
  for (const track of tracks) track.picture.show(isOn);
}

function wireTrack(track) {
  const { item, element } = track;
  const volume = item.querySelector(".volume");
  item.querySelector(".mute").addEventListener("click", () => mixer.toggleMute(track));
  item.querySelector(".solo").addEventListener("click", () => mixer.toggleSolo(track));
  volume.addEventListener("input", () => mixer.setVolume(track, volume.valueAsNumber));
  element.addEventListener("error", () => (item.querySelector(".fault").hidden = false));
  element.controls = false;
  listenToPointer(item.querySelector(".picture"), {
    at: (place) => drag(place * transport.duration),
    seek: (place) => drop(place * transport.duration),
    part: (from, to) => showLoop({ from: from * transport.duration, to: to * transport.duration }),
    loop: (from, to) => transport.repeat(from * transport.duration, to * transport.duration),
    leave: () => {
      dragged = null;
      showTransport();
    },
  });
}

function wireKeys() {
  const stems = tracks.filter((track) => track.set !== MIXTURE);
  const inFocus = (act) => () => {
    const track = tracks.find(({ item }) => item.contains(document.activeElement));
    if (track) act(track);
  };
  const commands = {
    " ": () => transport.toggle(),
    ArrowLeft: () => transport.seek(transport.time - STEP_SECONDS),
    ArrowRight: () => transport.seek(transport.time + STEP_SECONDS),
    m: inFocus((track) => mixer.toggleMute(track)),
    s: inFocus((track) => mixer.toggleSolo(track)),
    number: (number) => stems[number - 1] && mixer.toggleMute(stems[number - 1]),
  };
  listenToKeys(commands, () => find(".keys-on").checked);
}

function wireMediaKeys() {
  navigator.mediaSession?.setActionHandler("play", () => transport.play());
  navigator.mediaSession?.setActionHandler("pause", () => transport.pause());
}

wireTransport();
tracks.forEach(wireTrack);
wireKeys();
wireMediaKeys();
mixer.addEventListener("change", showMixer);
showMixer();
showTransport();
for (const hidden of document.querySelectorAll("[data-with-script]")) hidden.hidden = false;
