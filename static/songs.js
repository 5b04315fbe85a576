// Updates the progress of each song once a second, and replaces the rows of songs whose state has changed.
import { announce } from "./live.js";
import { showOwnTimes } from "./times.js";

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

/** Update the songs' progress. Returns false if the server does not respond. */
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

/** Replace all rows with the server's: a song that has just been separated can now be compared with others. */
async function renew() {
  const html = await (await fetch(location.href)).text();
  const page = new DOMParser().parseFromString(html, "text/html");
  showOwnTimes(page);
  for (const row of rows()) {
    const renewed = page.getElementById(row.id);
    const isNews = renewed?.dataset.state !== row.dataset.state;
    if (!renewed) row.remove();
    else if (isNews || !row.querySelector("details[open]")) replace(row, renewed); // open options stay
    if (renewed && isNews) announce(told(renewed));
  }
  renewForm(document.getElementById("separate-all"), page.getElementById("separate-all"));
  if (!rows().length) location.reload();
}

function replace(row, renewed) {
  const hadFocus = row.contains(document.activeElement);
  row.replaceWith(renewed);
  if (hadFocus) renewed.querySelector("a").focus();
}

/** Let the form for all songs have the songs that wait now; the options that were chosen in it stay. */
function renewForm(form, renewed) {
  const jobs = (of) => of.querySelectorAll("input[name=job]");
  if (!renewed) form?.remove();
  else if (form) {
    jobs(form).forEach((field) => field.remove());
    form.prepend(...jobs(renewed));
  }
}

function told(row) {
  return `${row.querySelector("a").textContent}: ${row.querySelector(".progress").textContent}`;
}

function seconds(number) {
  return new Promise((resolve) => setTimeout(resolve, 1000 * number));
}

follow();
