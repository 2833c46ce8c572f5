// What is live on a page: parts marked `data-live` are drawn anew when the server says so, clocks
// run, and what waits for an answer is heard and stands in the title.
//
// The server's stream names the alert that changed; what stands there now is asked for as HTML.
// The stream comes back by itself, from where it broke off.
import { asked, here, worker } from "./trusted.js";

const GATHER_MS = 200;
const AGAIN_MS = 5_000;
const SECOND_MS = 1_000;
// What waits for whoever looks.
const WAITING = "#to-answer [data-alert],#approvals [data-alert],#reviews [data-alert]";
const title = document.title;

// A gong of two tones. A browser lets nothing sound before somebody has pressed something.
let sound = null;
const strike = () => {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([300, 150, 300]);
  if (!sound) return;
  for (const [at, pitch] of [[0, 880], [0.35, 660]]) {
    const tone = new OscillatorNode(sound, { frequency: pitch });
    const volume = new GainNode(sound, { gain: 0.4 });
    tone.connect(volume).connect(sound.destination);
    volume.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + at + 0.6);
    tone.start(sound.currentTime + at);
    tone.stop(sound.currentTime + at + 0.6);
  }
};

const bell = document.querySelector("#bell");
if (bell && window.AudioContext) {
  bell.hidden = false;
  bell.addEventListener("click", () => {
    sound ||= new AudioContext();
    sound.resume();
    bell.textContent = bell.dataset.on;
    bell.setAttribute("aria-pressed", "true");
    strike();
  });
}

// What waits for an answer, in the title.
const badge = () => {
  const waiting = document.querySelectorAll(WAITING).length;
  document.title = waiting ? `(${waiting}) ${title}` : title;
};

// How long until something, in hours, minutes and seconds.
const clocks = () => {
  for (const clock of document.querySelectorAll("[data-until]")) {
    const left = Math.round((Date.parse(clock.dataset.until) - Date.now()) / SECOND_MS);
    const parts = [left / 3600, (left / 60) % 60, left % 60].map(Math.floor);
    const shown = parts.map((part) => String(part).padStart(2, "0")).join(":");
    clock.textContent = left > 0 ? `(${shown})` : "";
  }
};

const isTouched = (part) =>
  [...part.querySelectorAll("input,textarea")].some((it) => it.value !== it.defaultValue) ||
  [...part.querySelectorAll("option")].some((it) => it.selected !== it.defaultSelected && it.index) ||
  part.querySelector("[data-signing]") !== null;

// What is open on a page stays open.
const opened = (part) => [...part.querySelectorAll("details")].map((it) => it.open);
const reopen = (part, were) =>
  part.querySelectorAll("details").forEach((it, place) => (it.open = were[place] ?? it.open));

// The whole board: where a card belongs is the server's matter. What somebody is typing stays.
const drawBoard = async (board) => {
  if (isTouched(board)) return;
  const page = await asked(location.pathname + location.search);
  const anew = page?.querySelector(`#${board.id}`);
  if (!anew) return;
  const held = document.activeElement?.closest?.("[data-alert]")?.id;
  const before = new Set([...board.querySelectorAll("[data-alert]")].map((it) => it.id));
  for (const card of anew.querySelectorAll("[data-alert]")) {
    if (!before.has(card.id)) card.classList.add("fresh");
  }
  const isNew = [...anew.querySelectorAll(WAITING)].some((it) => it.matches(".fresh"));
  board.replaceChildren(...anew.childNodes);
  if (held) document.getElementById(held)?.querySelector("a,button")?.focus();
  badge();
  clocks();
  if (isNew) strike();
};

const drawAlert = async (part) => {
  const path = `/alerts/${part.dataset.alert}`;
  const anew = await asked(`${path}/now`);
  if (!anew) return;
  const stood = part.querySelector("[data-stands]")?.dataset.stands;
  const stands = anew.querySelector("[data-stands]")?.dataset.stands;
  const were = opened(part);
  part.replaceChildren(anew);
  reopen(part, were);
  clocks();
  // What may be done follows the state; what somebody is typing stays.
  const acts = document.querySelector("#acts");
  if (stood === stands || isTouched(acts)) return;
  const page = await asked(path);
  const next = page?.querySelector("#acts");
  if (next) acts.replaceChildren(...next.childNodes);
};

const follow = (part) => {
  const line = document.querySelector("#line");
  const draw = () => (part.dataset.alert ? drawAlert(part) : drawBoard(part));
  // One drawing at a time: an answer that is late is never put over a newer one.
  let [isDrawing, isAgain] = [false, false];
  const soon = () => {
    isAgain = true;
    if (!isDrawing) gather();
  };
  const gather = async () => {
    isDrawing = true;
    while (isAgain) {
      await new Promise((done) => setTimeout(done, GATHER_MS));
      isAgain = false;
      // The line is down: the stream says so, and what is missed is drawn when it is back.
      await draw().catch(() => {});
    }
    isDrawing = false;
  };
  const about = (event) => {
    const told = JSON.parse(event.data);
    return !part.dataset.alert || [told.alert, told.id].includes(part.dataset.alert);
  };
  // A board shows no deliveries.
  const names = ["alert", "answer", "match", "banner", ...(part.dataset.alert ? ["delivery"] : [])];
  const open = () => {
    const stream = new EventSource(`/v1/stream${part.dataset.query ?? ""}`);
    for (const name of names) {
      stream.addEventListener(name, (event) => about(event) && soon());
    }
    stream.addEventListener("open", () => {
      line.hidden = true;
      soon();
    });
    stream.addEventListener("error", () => {
      line.hidden = false;
      if (stream.readyState === EventSource.CLOSED) setTimeout(again, AGAIN_MS);
    });
  };
  // A browser gives a stream up that is answered with an error: it is opened anew, unless nobody
  // is signed in any more.
  const again = async () => {
    const answer = await fetch(location.pathname, { redirect: "manual" }).catch(() => null);
    if (answer?.type !== "opaqueredirect") return open();
    line.textContent = line.dataset.signedOut;
    strike();
  };
  open();
};

for (const button of document.querySelectorAll("button.here")) {
  const fields = [button.dataset.lat, button.dataset.lon];
  here(button, fields.map((id) => document.getElementById(id)), () => {});
}
const part = document.querySelector("[data-live]");
if (part) follow(part);
badge();
clocks();
setInterval(clocks, SECOND_MS);
// What was written down needs no draft any more.
if (new URLSearchParams(location.search).has("new")) localStorage.removeItem("keng-draft");
worker();
