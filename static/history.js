// Loads a page again that comes back from the browser's history as it was: its song may have been deleted meanwhile.
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload();
});
