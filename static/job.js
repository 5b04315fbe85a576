// Updates the job's progress once a second, and opens its next page when it has ended.
import { announce, tens } from "./live.js";
import { offer, tell } from "./notify.js";
import { translate } from "./translation.js";

const HIDDEN_SECONDS = 5; // between requests while the page is hidden
const ANSWER_SECONDS = 10; // without a response, after which the server counts as unreachable
const ENDS = { done: translate("Separated"), failed: translate("Not separated") };

let leaving = false;
let said = "";

async function follow() {
  for (;;) {
    const job = await ask();
    if (leaving) return;
    if (job && !["queued", "running"].includes(job.state)) return end(job);
    if (job) update(job);
    else show("progress", translate("The server does not respond. Retrying."));
    await pause();
  }
}

/** The job's present state; null if there is no response. */
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
  show("heading", waits ? translate("Waiting") : translate("Separating"));
  show("progress", job.progress);
  show("detail", job.detail);
  show("note", job.note);
  document.getElementById("bar").value = job.percent;
  document.title = waits ? `${translate("Waiting")}: ${job.name}` : `${Math.round(job.percent)} % – ${job.name}`;
  const milestone = [job.state, job.queue_position, tens(job.percent)].join();
  if (said && said !== milestone) announce(job.progress);
  said = milestone;
}

/** Announce the end of the job, and open its next page as soon as this one is visible. */
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
  leaving = true; // otherwise the answer about the cancelled job could replace the next page
});
offer(document.getElementById("notify"));
follow();
