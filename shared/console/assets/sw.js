// The worker of the console: a page that says that the line is down, and an alert that was
// confirmed while it was, held on this phone with its Idempotency-Key until it is back. It is
// never said to be sent before the server has answered.
const CACHE = `keng-${VERSION}`;
const RAISE = "/alerts/new";
const OFFLINE = "/offline";
// Held for longer than this an alert may no longer be right: a person is asked.
const FRESH_MS = 15 * 60_000;
const AGAIN_MS = 10_000;

self.addEventListener("install", (event) => {
  const kept = caches.open(CACHE).then((cache) => cache.addAll([OFFLINE, ...SHELL]));
  event.waitUntil(kept.then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => {
    const gone = names.filter((name) => name.startsWith("keng-") && name !== CACHE);
    return Promise.all(gone.map((name) => caches.delete(name)));
  });
  event.waitUntil(old.then(() => self.clients.claim()));
});

// What is held lies in a store of its own: the key of the request, and its body.
const store = (mode, work) =>
  new Promise((done, failed) => {
    const opening = indexedDB.open("keng", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("held", { keyPath: "key" });
    opening.onerror = () => failed(opening.error);
    opening.onsuccess = () => {
      const change = opening.result.transaction("held", mode);
      const asked = work(change.objectStore("held"));
      change.oncomplete = () => {
        opening.result.close();
        done(asked.result);
      };
      change.onerror = () => failed(change.error);
    };
  });
const held = () => store("readonly", (all) => all.getAll());
const hold = (one) => store("readwrite", (all) => all.put(one));
const drop = (key) => store("readwrite", (all) => all.delete(key));

const tell = async (message) => {
  const pages = await self.clients.matchAll({ includeUncontrolled: true });
  for (const page of pages) page.postMessage(message);
};

// Sends one that is held. It is let go of when the server shows the alert, and not before.
const send = async (one) => {
  const body = new URLSearchParams({ key: one.key, alert: one.alert });
  const answer = await fetch(RAISE, { method: "POST", body, credentials: "same-origin" });
  const path = new URL(answer.url).pathname;
  if (answer.redirected && path.startsWith("/alerts/")) {
    await drop(one.key);
    await tell({ told: "sent", key: one.key, path });
    return;
  }
  await hold({ ...one, why: "refused" });
  await tell({ told: "held" });
};

let isSending = false;
let timer = 0;
const sendAll = async () => {
  if (isSending) return;
  isSending = true;
  try {
    for (const one of await held()) {
      if (one.why) continue;
      if (Date.now() - one.at > FRESH_MS) {
        await hold({ ...one, why: "old" });
        await tell({ told: "held" });
        continue;
      }
      await send(one);
    }
  } catch {
    clearTimeout(timer);
    timer = setTimeout(sendAll, AGAIN_MS);
  } finally {
    isSending = false;
  }
};

const offline = async () => (await caches.match(OFFLINE)) ?? Response.error();

// A confirmation: sent; where the line is down, held, and the page says so.
const raise = async (request) => {
  const copy = request.clone();
  try {
    return await fetch(request);
  } catch {
    const form = new URLSearchParams(await copy.text());
    const [key, alert] = [form.get("key"), form.get("alert")];
    if (!key || !alert) return offline();
    await hold({ key, alert, at: Date.now() });
    await self.registration.sync?.register("held").catch(() => {});
    timer = setTimeout(sendAll, AGAIN_MS);
    return offline();
  }
};

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  // A form of its own: what a script asks for, to be signed, is not held here.
  if (request.method === "POST" && url.pathname === RAISE && request.mode === "navigate") {
    event.respondWith(raise(request));
  } else if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(offline));
  } else if (request.method === "GET" && SHELL.includes(url.pathname)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});

self.addEventListener("sync", (event) => event.waitUntil(sendAll()));

self.addEventListener("message", (event) => {
  const { ask, key } = event.data;
  const found = async () => (await held()).find((one) => one.key === key);
  if (ask === "send") event.waitUntil(sendAll());
  if (ask === "send-one") {
    const sent = found().then((one) => one && send(one));
    event.waitUntil(sent.catch(() => tell({ told: "held" })));
  }
  if (ask === "drop") event.waitUntil(drop(key).then(() => tell({ told: "held" })));
  if (ask === "held") {
    event.waitUntil(held().then((all) => event.source.postMessage({ told: "all", all })));
  }
});
