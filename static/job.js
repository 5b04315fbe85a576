// Shows where the job stands, once a second, and goes on to its next page when the state changes.
import { say } from "/static/words.js";

const ENDED = ["uploaded", "done", "failed", "cancelled"];

function show(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text; // else a screen reader would say it again
}

function update(job) {
  if (ENDED.includes(job.state)) {
    location.reload();
    return;
  }
  show("heading", job.state === "queued" ? say("Waiting") : say("Separating"));
  show("progress", job.progress);
  show("note", job.note);
  document.getElementById("bar").value = job.percent;
  document.title = `${Math.round(job.percent)} % – ${job.name}`;
  setTimeout(ask, 1000);
}

async function ask() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "application/json" } });
    if (answer.status === 404) location.reload();
    else if (answer.ok) return update(await answer.json());
  } catch {
    show("progress", say("The server does not answer; still trying."));
  }
  setTimeout(ask, 3000);
}

ask();
