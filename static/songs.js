// Shows how far each song is, once a second, and renews the rows of those whose state changes.
const ASK_EVERY_MS = 1000;
const ASK_AGAIN_MS = 5000; // after a failure
const BUSY = ["queued", "running"];

const rows = () => [...document.querySelectorAll("#songs tbody tr")];
const isBusy = (row) => BUSY.includes(row.dataset.state);

function show(row, song) {
  const progress = row.querySelector(".progress");
  if (progress.textContent !== song.progress) progress.textContent = song.progress;
}

// Other rows change too: what has just been separated can now be compared with them.
async function renew() {
  const html = await (await fetch(location.href)).text();
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const row of rows()) {
    const renewed = page.getElementById(row.id);
    if (!renewed) row.remove();
    else if (renewed.dataset.state !== row.dataset.state) replace(row, renewed);
    else if (!row.querySelector("details[open]")) replace(row, renewed);
  }
}

function replace(row, renewed) {
  const hadFocus = row.contains(document.activeElement);
  const isNews = renewed.dataset.state !== row.dataset.state;
  row.replaceWith(renewed);
  if (hadFocus) renewed.querySelector("a").focus();
  if (isNews) document.getElementById("news").textContent = tell(renewed);
}

function tell(row) {
  return `${row.querySelector("a").textContent}: ${row.querySelector(".progress").textContent}`;
}

async function ask() {
  let wait = ASK_EVERY_MS;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "application/json" } });
    const songs = new Map((await answer.json()).songs.map((song) => [song.job, song]));
    const busy = rows().filter(isBusy);
    if (busy.some((row) => songs.get(row.dataset.job)?.state !== row.dataset.state)) await renew();
    else busy.forEach((row) => show(row, songs.get(row.dataset.job)));
  } catch {
    wait = ASK_AGAIN_MS;
  }
  if (rows().some(isBusy)) setTimeout(ask, wait);
}

if (rows().some(isBusy)) ask();
