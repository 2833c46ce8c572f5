// What is live on a page: parts marked `data-live` are drawn anew when the server says so.
//
// The server's stream names the alert that changed; what stands there now is asked for as HTML.
// The stream comes back by itself, from where it broke off.
const policy = window.trustedTypes?.createPolicy("keng", { createHTML: (html) => html });
const GATHER_MS = 200;

const parsed = (html) => {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  return template.content;
};

const asked = async (path) => {
  const answer = await fetch(path, { headers: { accept: "text/html" } });
  return answer.ok && !answer.redirected ? parsed(await answer.text()) : null;
};

// The whole board: where a card belongs is the server's matter.
const drawBoard = async (board) => {
  const page = await asked(location.pathname + location.search);
  const anew = page?.querySelector(`#${board.id}`);
  if (!anew) return;
  const held = document.activeElement?.closest?.("[data-alert]")?.id;
  const before = new Set([...board.querySelectorAll("[data-alert]")].map((it) => it.id));
  for (const card of anew.querySelectorAll("[data-alert]")) {
    if (!before.has(card.id)) card.classList.add("fresh");
  }
  board.replaceChildren(...anew.childNodes);
  if (held) document.getElementById(held)?.querySelector("a,button")?.focus();
};

const drawAlert = async (part) => {
  const anew = await asked(`/alerts/${part.dataset.alert}/now`);
  if (anew) part.replaceChildren(anew);
};

const part = document.querySelector("[data-live]");
if (part) {
  let timer = 0;
  const line = document.querySelector("#line");
  const draw = () => (part.dataset.alert ? drawAlert(part) : drawBoard(part));
  const soon = () => {
    timer ||= setTimeout(async () => {
      timer = 0;
      try {
        await draw();
      } catch {
        // The line is down: the stream says so, and what is missed is drawn when it is back.
      }
    }, GATHER_MS);
  };
  const stream = new EventSource(`/v1/stream${part.dataset.query ?? ""}`);
  const about = (event) => {
    const told = JSON.parse(event.data);
    return !part.dataset.alert || [told.alert, told.id].includes(part.dataset.alert);
  };
  for (const name of ["alert", "answer", "delivery", "match", "banner"]) {
    stream.addEventListener(name, (event) => about(event) && soon());
  }
  stream.addEventListener("open", () => {
    line.hidden = true;
    soon();
  });
  stream.addEventListener("error", () => {
    line.hidden = false;
  });
}
