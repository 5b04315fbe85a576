// The player's keys. They rest while something is typed or chosen, and where the visitor switches them off.
const NUMBER = /^(?:Digit|Numpad)([1-9])$/;

/** `commands`: { " ", ArrowLeft, ArrowRight, m, s, number(n) }, each a function. */
export function listenToKeys(commands, areOn) {
  document.addEventListener("keydown", (event) => {
    const number = NUMBER.exec(event.code);
    const command = number ? () => commands.number(Number(number[1])) : commands[letter(event)];
    if (!command || event.altKey || event.ctrlKey || event.metaKey || !areOn() || isTaken(event)) return;
    event.preventDefault();
    command();
  });
}

/** The letter on the key, or on a keyboard of another script the one that is there on an English keyboard. */
function letter(event) {
  const isForeign = event.key.length === 1 && event.key > "\u007f";
  return isForeign ? event.code.replace(/^Key/, "").toLowerCase() : event.key.replace(/^[A-Z]$/, (key) => key.toLowerCase());
}

/** Whether the element in focus has a use of its own for the key. */
function isTaken({ target, key }) {
  if (target.matches("textarea, select, [contenteditable], input:not([type=range], [type=checkbox])")) return true;
  if (key === " ") return target.matches("button, a, summary, input:not([type=range])");
  return key.startsWith("Arrow") && target.matches("input.volume");
}
