// What can be known of a file before it is sent: the rest of webapp/sounds.py's questions is the server's.
import { say } from "/static/words.js";

const GIB = 1 << 30;
const WAVES = ["RIFF", "RIFX", "RF64"];
const OTHERS = [
  [/^\xff[\xe2-\xff]/, "MP3"],
  [/^fLaC/, "FLAC"],
  [/^OggS/, "Ogg"],
  [/^FORM/, "AIFF"],
  [/^riff/, "W64"],
  [/^.{4}ftyp/s, "MP4"],
  [/^(\x89PNG|\xff\xd8\xff|GIF8)/, say("a picture")],
];
const TAG_HEAD = 10; // bytes before an ID3 tag's content (id3.org, ID3v2.4, 3.1)

/** Why `file` need not be sent, in a sentence; empty if nothing is known against it. */
export async function objection(file, maxBytes) {
  if (file.size === 0) return say("This file is empty.");
  if (file.size > maxBytes) {
    return say("This file is too large: at most {limit} GB can be sent.", { limit: maxBytes / GIB });
  }
  try {
    return objectionToHead(await head(file));
  } catch {
    return say("This file cannot be read. Was it changed or moved, or is it a folder?");
  }
}

function objectionToHead(head) {
  if (WAVES.includes(head.slice(0, 4)) && head.slice(8, 12) === "WAVE") return "";
  const format = OTHERS.find(([pattern]) => pattern.test(head))?.[1];
  if (format) return say("This file is {format}, whatever its name says. Please choose a .wav file.", { format });
  return say("This file is not a sound that can be read. Please choose a .wav file.");
}

/** The file's first bytes, behind a tag if one stands before them, as a string of their codes. */
async function head(file) {
  const first = await bytes(file, 0);
  if (!first.startsWith("ID3")) return first;
  const length = [6, 7, 8, 9].reduce((sum, place) => sum * 128 + first.charCodeAt(place), 0);
  const behind = await bytes(file, TAG_HEAD + length);
  return behind.startsWith("RI") || behind.startsWith("RF") ? behind : "\xff\xfb"; // a tag stands before MP3 as a rule
}

async function bytes(file, start) {
  return String.fromCharCode(...new Uint8Array(await file.slice(start, start + 12).arrayBuffer()));
}
