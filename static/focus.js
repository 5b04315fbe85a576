// Focuses the heading of each new page, so that a screen reader reads it and Tab moves to the element after it.
const [{ type }] = performance.getEntriesByType("navigation");
const hasStepped = type === "reload" || (type === "navigate" && document.referrer.startsWith(`${location.origin}/`));

if (hasStepped && document.activeElement === document.body) {
  const heading = document.querySelector("h1");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
