// Uploads one file.
import { translate } from "../translation.js";

const PACE_SECONDS = 5; // over which the speed is averaged

/** A file could not be uploaded. `again`: whether another attempt may succeed. */
export class NotSent extends Error {
  constructor(sentence, again) {
    super(sentence);
    this.again = again;
  }
}

/**
 * Upload `file` as the form for `address` would. `progress({loaded, total, secondsLeft})` is called during the upload,
 * in bytes; `signal` aborts it. Returns the job as the server's JSON describes it. Throws NotSent.
 */
export function send(address, file, progress, signal) {
  const request = new XMLHttpRequest();
  const pace = makePace();
  request.open("POST", address);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.onprogress = ({ loaded, total }) => {
    progress({ loaded, total, secondsLeft: (total - loaded) / pace(loaded, performance.now() / 1000) });
  };
  const sent = new Promise((resolve, reject) => {
    request.onload = () => (request.status === 201 ? resolve(request.response) : reject(refused(request)));
    request.onerror = () => reject(new NotSent(translate("The connection was lost. The file was not uploaded."), true));
    request.onabort = () => reject(new NotSent(translate("Cancelled."), true));
  });
  signal.addEventListener("abort", () => request.abort());
  request.send(formWith(file));
  return sent;
}

/** Put an uploaded job into the queue, with the fields `options` of the page. Throws NotSent if that is refused. */
export async function separate(job, options) {
  const body = new URLSearchParams([...options, ["job", job]]);
  const headers = { Accept: "application/json" };
  let answer;
  try {
    answer = await fetch(new URL("../../cgi-bin/separate.py", import.meta.url), { method: "POST", headers, body });
  } catch {
    throw new NotSent(translate("The connection was lost. The file was uploaded, but not separated."), false);
  }
  if (!answer.ok) throw new NotSent((await answer.json()).error, false);
}

function formWith(file) {
  const form = new FormData();
  form.append("filename", file); // the name of the field in the thesis's form
  return form;
}

function refused({ status, response }) {
  const sentence = response?.error ?? translate("The server did not accept the file.");
  return new NotSent(sentence, status === 408 || status >= 500);
}

/** A function that is called with (bytes, time in s) now and then, and returns the recent speed in bytes per second. */
function makePace() {
  const seen = [{ loaded: 0, at: performance.now() / 1000 }];
  return (loaded, at) => {
    seen.push({ loaded, at });
    while (seen.length > 2 && at - seen[1].at > PACE_SECONDS) seen.shift();
    return (loaded - seen[0].loaded) / (at - seen[0].at);
  };
}
