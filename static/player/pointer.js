// A press on a picture leads there; a drag shows the way and leads there at its end; with Shift it marks a part.
/** `acts`: { at(place), seek(place), part(from, to), loop(from, to), leave() }, places from 0 to 1. */
export function listenToPointer(picture, acts) {
  let start = null; // where a drag with Shift began
  const place = (event) => {
    const box = picture.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const move = (event) => {
    if (start === null) acts.at(place(event));
    else acts.part(Math.min(start, place(event)), Math.max(start, place(event)));
  };
  const end = (event) => {
    for (const [type, act] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
      picture.removeEventListener(type, act);
    }
    if (event.type === "pointercancel") acts.leave();
    else if (start === null) acts.seek(place(event));
    else acts.loop(start, place(event));
  };
  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault(); // no text is selected
    start = event.shiftKey ? place(event) : null;
    picture.setPointerCapture(event.pointerId);
    picture.addEventListener("pointermove", move);
    picture.addEventListener("pointerup", end);
    picture.addEventListener("pointercancel", end);
    move(event);
  });
}
