// The checks of a file that can be made before it is uploaded; webapp/audio/recording_check.py makes all of them.
import { translate } from "../translation.js";

const GIB = 1 << 30;
const PICTURE = /^(\x89PNG|\xff\xd8\xff|GIF8)/;
// The first bytes of the containers in openunmix_models/containers.py
const RECORDINGS = [
  /^(RIFF|RIFX|RF64|BW64).{4}WAVE/s,
  /^RIFF.{4}AVI /s,
  /^FORM.{4}(AIF[FC]|8SVX|16SV)/s,
  /^.{4}(ftyp|moov|mdat|free|skip|wide|pnot)/s,
  /^\xff[\xe2-\xff]/,
  /^(riff|caff|\.snd|fLaC|OggS|\x1a\x45\xdf\xa3|\x30\x26\xb2\x75|#!AMR|wvpk|\x0b\x77)/,
  /^(Creative Voi|NIST_1A|\x64\xa3|\0[\x01-\x04]\xa3\x64| paf|fap |PVF1|2BIT|MATLAB 5\.0|Extended Ins)/,
  /^\0+$/, // as in some MP3s, before the first frame
];
const TAG_HEAD = 10; // bytes before an ID3 tag's content (id3.org, ID3v2.4, 3.1)

/** Why `file` cannot be separated, in a sentence; empty if no reason is known. */
export async function objection(file, maxBytes) {
  if (file.size === 0) return translate("This file is empty.");
  if (file.size > maxBytes) {
    return translate("This file is too large: at most {limit} GB can be uploaded.", { limit: maxBytes / GIB });
  }
  try {
    return objectionToHead(await head(file));
  } catch {
    return translate("This file cannot be read. It may have been changed or moved, or it may be a folder.");
  }
}

function objectionToHead(head) {
  if (PICTURE.test(head)) return translate("This file is a picture, and not a recording.");
  if (RECORDINGS.some((pattern) => pattern.test(head))) return "";
  return translate("This file cannot be read as a sound file. Please choose a .wav file.");
}

/** The file's first bytes, after an ID3 tag if there is one, as a string of their codes. */
async function head(file) {
  const first = await bytes(file, 0);
  if (!first.startsWith("ID3")) return first;
  const length = [6, 7, 8, 9].reduce((sum, place) => sum * 128 + first.charCodeAt(place), 0);
  const behind = await bytes(file, TAG_HEAD + length);
  return RECORDINGS.some((pattern) => pattern.test(behind)) ? behind : "\xff\xfb"; // most files with a tag are MP3
}

async function bytes(file, start) {
  return String.fromCharCode(...new Uint8Array(await file.slice(start, start + 12).arrayBuffer()));
}
