// The pointer on a waveform: a click jumps there, a drag selects a loop, and the ends of a loop can be dragged.
const CLICK_PIXELS = 5; // within which a press is a click
const REACH_PIXELS = { mouse: 7, pen: 12, touch: 22 }; // of the ends of a loop

/**
 * `acts`: { seek(s), select({ from, to }), loop({ from, to }), leave(), hover(s or null, x) }; `loop` ends a selection and
 * `leave` cancels it. `view` turns places into seconds; `getLoop()` is the present loop or null.
 */
export function listenToPointer(picture, view, getLoop, acts) {
  const box = () => picture.getBoundingClientRect();
  const inside = (event) => Math.min(box().width, Math.max(0, event.clientX - box().left));
  const seconds = (event) => view.seconds(inside(event) / box().width);
  let press = null; // { x, fixed, isDrag }: where it began, and the end of the selection that does not move

  /** The end of the loop that is not under the pointer, if the other one is; otherwise null. */
  function otherEnd(event) {
    const loop = getLoop();
    if (!loop) return null;
    const [from, to] = [loop.from, loop.to].map((end) => Math.abs(view.share(end) * box().width - inside(event)));
    if (Math.min(from, to) > (REACH_PIXELS[event.pointerType] ?? REACH_PIXELS.mouse)) return null;
    return from < to ? loop.to : loop.from;
  }

  function selection(event) {
    const [one, other] = [press.fixed, seconds(event)];
    return { from: Math.min(one, other), to: Math.max(one, other) };
  }

  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey) return;
    event.preventDefault(); // no text is selected
    picture.setPointerCapture(event.pointerId);
    const fixed = otherEnd(event);
    press = { x: event.clientX, fixed: fixed ?? seconds(event), isDrag: fixed !== null };
  });
  picture.addEventListener("pointermove", (event) => {
    acts.hover(seconds(event), inside(event));
    picture.classList.toggle("on-end", !press && otherEnd(event) !== null);
    if (!press) return;
    press.isDrag ||= Math.abs(event.clientX - press.x) > CLICK_PIXELS;
    if (press.isDrag) acts.select(selection(event));
  });
  picture.addEventListener("pointerup", (event) => {
    if (!press) return;
    if (press.isDrag) acts.loop(selection(event));
    else acts.seek(seconds(event));
    press = null;
  });
  picture.addEventListener("pointercancel", () => {
    press = null;
    acts.leave();
  });
  picture.addEventListener("pointerleave", () => press || acts.hover(null, 0));
}
