// One file on its way to the server.
import { say } from "/static/words.js";

const PACE_SECONDS = 5; // over which the speed is taken

/** A file could not be sent. `again`: it may go better another time. */
export class NotSent extends Error {
  constructor(sentence, again) {
    super(sentence);
    this.again = again;
  }
}

/**
 * Send `file` as the form at `address` would. `progress({loaded, total, secondsLeft})` is called on the way, in bytes;
 * `signal` breaks it off. Returns the job as the server tells it. Throws NotSent.
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
    request.onerror = () => reject(new NotSent(say("The connection broke off. The file was not sent."), true));
    request.onabort = () => reject(new NotSent(say("Cancelled."), true));
  });
  signal.addEventListener("abort", () => request.abort());
  request.send(formWith(file));
  return sent;
}

function formWith(file) {
  const form = new FormData();
  form.append("filename", file); // as the thesis's form calls it
  return form;
}

function refused({ status, response }) {
  const sentence = response?.error ?? say("The server did not take the file.");
  return new NotSent(sentence, status === 408 || status >= 500);
}

/** A function that is told (bytes, time in s) now and then, and returns the bytes a second of late. */
function makePace() {
  const seen = [{ loaded: 0, at: performance.now() / 1000 }];
  return (loaded, at) => {
    seen.push({ loaded, at });
    while (seen.length > 2 && at - seen[1].at > PACE_SECONDS) seen.shift();
    return (loaded - seen[0].loaded) / (at - seen[0].at);
  };
}
