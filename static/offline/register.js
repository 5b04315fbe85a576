// When the page was opened from the icon on a home screen: have a page ready for when the server is not running.
// Only then, since other programs may use this machine's address at other times, and only where browsers allow it:
// on this machine, or over HTTPS.
if (navigator.serviceWorker && matchMedia("(display-mode: standalone)").matches) {
  navigator.serviceWorker.register(new URL("../../service-worker.js", import.meta.url));
}
