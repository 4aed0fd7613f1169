// Keeps the page usable without a network after the first visit. www/finish.mjs puts the build's files
// in the place of FILES; all but the document are named by their content or belong to one build.

const FILES = [];
const BUILD = "";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(BUILD).then((cache) => cache.addAll(FILES)));
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("podium-") && name !== BUILD);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))));
});

// A page asks whether this is its own build.
self.addEventListener("message", ({ ports: [port] }) => port?.postMessage(BUILD));

// The document comes from the network where there is one, so that a new build is seen at once.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match("./", { ignoreSearch: true })));
  } else {
    event.respondWith(caches.match(request, { ignoreSearch: true }).then((kept) => kept ?? fetch(request)));
  }
});
