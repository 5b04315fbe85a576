// Shows how far each song is, once a second, and renews the rows of those whose state changes.
import { announce } from "/static/live.js";

const ASK_EVERY_SECONDS = 1;
const ASK_AGAIN_SECONDS = 5; // after a failure

const rows = () => [...document.querySelectorAll("#songs tbody tr")];
const isBusy = (row) => ["queued", "running"].includes(row.dataset.state);

async function follow() {
  while (rows().some(isBusy)) {
    const answered = document.hidden || (await update());
    await seconds(answered ? ASK_EVERY_SECONDS : ASK_AGAIN_SECONDS);
  }
}

/** Show how the songs stand. False if the server does not say. */
async function update() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "application/json" } });
    const songs = new Map((await answer.json()).songs.map((song) => [song.job, song]));
    const busy = rows().filter(isBusy);
    if (busy.some((row) => songs.get(row.dataset.job)?.state !== row.dataset.state)) await renew();
    else busy.forEach((row) => show(row, songs.get(row.dataset.job)));
    return true;
  } catch {
    return false;
  }
}

function show(row, song) {
  const progress = row.querySelector(".progress");
  if (progress.textContent !== song.progress) progress.textContent = song.progress;
}

/** All rows as the server writes them: what has just been separated can now be compared with others. */
async function renew() {
  const html = await (await fetch(location.href)).text();
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const row of rows()) {
    const renewed = page.getElementById(row.id);
    const isNews = renewed?.dataset.state !== row.dataset.state;
    if (!renewed) row.remove();
    else if (isNews || !row.querySelector("details[open]")) replace(row, renewed); // a visitor is choosing there
    if (renewed && isNews) announce(told(renewed));
  }
  if (!rows().length) location.reload();
}

function replace(row, renewed) {
  const hadFocus = row.contains(document.activeElement);
  row.replaceWith(renewed);
  if (hadFocus) renewed.querySelector("a").focus();
}

function told(row) {
  return `${row.querySelector("a").textContent}: ${row.querySelector(".progress").textContent}`;
}

function seconds(number) {
  return new Promise((resolve) => setTimeout(resolve, 1000 * number));
}

window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload(); // back from the browser's history
});
follow();
