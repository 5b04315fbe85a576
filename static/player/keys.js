// The player's keyboard shortcuts. They are off while the visitor types or chooses, or has disabled them.
const NUMBER = /^(?:Digit|Numpad)([1-9])$/;
const CODES = { BracketLeft: "[", BracketRight: "]" }; // at the same place on every keyboard

/** `commands`: functions by key, in lower case, and `number(n)`. `isOn()`: whether the shortcuts are enabled. */
export function listenToKeys(commands, isOn) {
  let clicked = null; // the control that has the focus because of a click: Space is not meant for it
  document.addEventListener("pointerdown", ({ target }) => (clicked = target.closest("button, summary")));
  document.addEventListener("focusin", ({ target }) => (clicked = target === clicked ? clicked : null));

  const commandOf = (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || (event.shiftKey && event.key !== "+") || !isOn()) return null;
    if (isTaken(event, clicked)) return null;
    const number = NUMBER.exec(event.code);
    return number ? () => commands.number(Number(number[1])) : commands[keyOf(event)];
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab" || event.key === "Enter") clicked = null;
    const command = commandOf(event);
    if (!command) return;
    event.preventDefault();
    command();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && commandOf(event)) event.preventDefault(); // Firefox presses a button at the end of the key
  });
}

/** The letter on the key; on a keyboard of another script, the letter of that key on an English keyboard. */
function keyOf({ key, code }) {
  if (CODES[code]) return CODES[code];
  const isForeign = key.length === 1 && key > "\u007f";
  return isForeign ? code.replace(/^Key/, "").toLowerCase() : key.toLowerCase();
}

/** Whether the focused element uses the key itself. */
function isTaken({ target, key }, clicked) {
  if (target.matches("textarea, select, [contenteditable], input:not([type=range], [type=checkbox])")) return true;
  if (key === " ") return target !== clicked && target.matches("button, a, summary, input:not([type=range])");
  return key.startsWith("Arrow") && target.matches("input:not(.seek)");
}
