// What was set in the player is kept in this browser, for each song.
const PREFIX = "player/";
const NB_KEPT = 100; // songs
const KEYS = "keys-enabled";

export class Settings {
  /** `jobs`: the results that are played. */
  constructor(jobs) {
    this.name = PREFIX + jobs;
  }

  /** What was saved, or an empty object. */
  load() {
    try {
      return JSON.parse(localStorage.getItem(this.name)) ?? {};
    } catch {
      return {}; // nothing readable, or the browser keeps nothing
    }
  }

  save(values) {
    tryTo(() => {
      localStorage.setItem(this.name, JSON.stringify({ ...values, saved: Date.now() }));
      forgetOldest();
    });
  }
}

/** Whether keyboard shortcuts are enabled, for all songs. */
export function areKeysEnabled() {
  return tryTo(() => localStorage.getItem(KEYS)) !== "false";
}

export function enableKeys(isEnabled) {
  tryTo(() => localStorage.setItem(KEYS, isEnabled));
}

function forgetOldest() {
  const names = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  if (names.length <= NB_KEPT) return;
  const saved = (name) => JSON.parse(localStorage.getItem(name)).saved;
  names.sort((one, other) => saved(one) - saved(other));
  localStorage.removeItem(names[0]);
}

/** Browsers may refuse to keep anything. */
function tryTo(act) {
  try {
    return act();
  } catch {
    return null;
  }
}
