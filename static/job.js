// Shows where the job stands, once a second, and goes on to its next page when it has ended.
import { announce, tens } from "/static/live.js";
import { offer, tell } from "/static/notify.js";
import { say } from "/static/words.js";

const HIDDEN_SECONDS = 5; // between two questions while nobody looks
const ANSWER_SECONDS = 10; // after which the server counts as gone
const ENDS = { done: say("Separated"), failed: say("Not separated") };

let leaving = false;
let said = "";

async function follow() {
  for (;;) {
    const job = await ask();
    if (leaving) return;
    if (job && !["queued", "running"].includes(job.state)) return end(job);
    if (job) update(job);
    else show("progress", say("The server does not answer; still trying."));
    await pause();
  }
}

/** The job as it stands; null if nothing is heard of it. */
async function ask() {
  try {
    const headers = { Accept: "application/json" };
    const answer = await fetch(location.href, { headers, signal: AbortSignal.timeout(1000 * ANSWER_SECONDS) });
    if (answer.status === 404) return { state: "deleted" };
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function update(job) {
  const waits = job.state === "queued";
  show("heading", waits ? say("Waiting") : say("Separating"));
  show("progress", job.progress);
  show("detail", job.detail);
  show("note", job.note);
  document.getElementById("bar").value = job.percent;
  document.title = waits ? `${say("Waiting")}: ${job.name}` : `${Math.round(job.percent)} % – ${job.name}`;
  const milestone = [job.state, job.queue_position, tens(job.percent)].join();
  if (said && said !== milestone) announce(job.progress);
  said = milestone;
}

/** Say that it has ended, and go to the page that shows it as soon as somebody looks. */
async function end(job) {
  if (job.state in ENDS) {
    document.title = `${ENDS[job.state]}: ${job.name}`;
    tell(ENDS[job.state], job.name);
    while (document.hidden) await second();
  }
  location.reload();
}

async function pause() {
  for (let waited = 0; waited < 1 || (document.hidden && waited < HIDDEN_SECONDS); waited++) await second();
}

function second() {
  return new Promise((resolve) => setTimeout(resolve, 1000));
}

function show(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
}

document.getElementById("cancel").addEventListener("submit", () => {
  leaving = true; // else the deleted job's page would be asked for, and its answer come instead of the home page
});
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload(); // back from the browser's history
});
offer(document.getElementById("notify"));
follow();
