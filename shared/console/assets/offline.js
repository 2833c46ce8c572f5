// The page for when the line is down: what is held on this phone, to be sent or dropped.
const said = document.querySelector("#offline-said");
const list = document.querySelector("#held-list");
const template = document.querySelector("#held-one");

const ask = async (message) => {
  const ready = await navigator.serviceWorker?.ready;
  ready?.active?.postMessage(message);
};

const drawn = ({ key, alert, at, why }) => {
  const card = template.content.cloneNode(true);
  const part = (name) => card.querySelector(name);
  const asked = JSON.parse(alert);
  const isLive = asked.status === "actual";
  part(".mark").textContent = isLive ? said.dataset.live : said.dataset.exercise;
  part(".mark").classList.add(isLive ? "live" : "drill");
  part(".headline").textContent = asked.headline;
  part(".since").append(` ${new Date(at).toLocaleTimeString(document.documentElement.lang)}`);
  if (why) {
    part(".why").hidden = false;
    part(".why").textContent = part(".why").dataset[why];
  }
  part(".send").addEventListener("click", () => ask({ ask: "send-one", key }));
  part(".drop").addEventListener("click", () => ask({ ask: "drop", key }));
  return card;
};

navigator.serviceWorker?.addEventListener("message", ({ data }) => {
  if (data.told === "all") {
    list.replaceChildren(...data.all.map(drawn));
    document.querySelector("#held").hidden = data.all.length === 0;
    said.textContent = data.all.length ? "" : said.dataset.none;
  } else if (data.told === "sent") {
    localStorage.removeItem("keng-draft");
    location.href = data.path;
  } else {
    ask({ ask: "held" });
  }
});
window.addEventListener("online", () => ask({ ask: "send" }));
ask({ ask: "held" });
