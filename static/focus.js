// After each step of the way the focus is on the new page's heading, so that a screen reader reads it, and the next
// thing that Tab reaches is below it.
const [{ type }] = performance.getEntriesByType("navigation");
const hasStepped = type === "reload" || (type === "navigate" && document.referrer.startsWith(`${location.origin}/`));

if (hasStepped && document.activeElement === document.body) {
  const heading = document.querySelector("h1");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
