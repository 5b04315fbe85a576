// Shows a page that says so when the server is not running. Everything else goes to the server as without this script.
const CACHE = "offline-1";
const PAGE = "static/offline/offline.html"; // relative to this script, whose address a proxy may have given a prefix

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([PAGE, "static/style.css", "static/logo.svg"])));
});

self.addEventListener("fetch", (event) => {
  const { mode, method, url } = event.request;
  const address = new URL(url);
  const isFile = /\/downloads\/|\/(zip|mix|stem)\.py$/.test(address.pathname);
  if (mode === "navigate" && method === "GET" && !isFile) {
    event.respondWith(fetch(event.request).catch(() => caches.match(PAGE)));
  } else if (address.pathname.includes("/static/") && [".css", ".svg"].some((end) => address.pathname.endsWith(end))) {
    event.respondWith(fetch(event.request).catch(async () => (await caches.match(event.request)) ?? Response.error()));
  }
});
