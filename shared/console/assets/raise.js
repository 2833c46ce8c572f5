// Raising an alert: a draft is kept on this phone, a button fills in where it is, and a picture
// leaves while the rest is typed. Without this every step works all the same.
import { here, worker } from "./trusted.js";

const DRAFT = "keng-draft";
// A draft of yesterday is about yesterday.
const DRAFT_MS = 12 * 3_600_000;

const officer = document.querySelector("[data-officer]")?.dataset.officer ?? "";

const kept = () => {
  try {
    const draft = JSON.parse(localStorage.getItem(DRAFT));
    const isGood = draft?.officer === officer && Date.now() - draft.at < DRAFT_MS;
    return isGood ? draft : null;
  } catch {
    return null;
  }
};

const typed = (form) =>
  [...new FormData(form)].filter(([name, value]) => typeof value === "string" && name !== "photos");

const keep = (form) => {
  const fields = typed(form);
  const kind = form.elements.kind.value;
  localStorage.setItem(DRAFT, JSON.stringify({ officer, at: Date.now(), kind, fields }));
};

const fill = (form, fields) => {
  for (const field of form.elements) {
    const values = fields.filter(([name]) => name === field.name).map(([, value]) => value);
    // Whether it is real is said anew each time.
    if (["checkbox", "radio"].includes(field.type)) {
      const isAsked = ["photos", "status"].includes(field.name);
      if (!isAsked) field.checked = values.includes(field.value);
    } else if (field.name && field.type !== "file" && values.length) {
      [field.value] = values;
    }
  }
};

// The form of one kind.
const form = document.querySelector("#raise");
if (form) {
  const draft = kept();
  // Only who has asked for it gets a draft; what the server has drawn again is newer.
  const isWanted = new URLSearchParams(location.search).has("draft");
  if (isWanted && draft?.kind === form.elements.kind.value && !("kept" in form.dataset)) {
    fill(form, draft.fields);
  }
  const said = document.querySelector("#draft-said");
  form.addEventListener("input", () => {
    keep(form);
    said.textContent = said.dataset.kept;
  });
  const place = document.querySelector("#here");
  const told = document.querySelector("#here-said");
  const fields = ["last_seen.lat", "last_seen.lon"].map((id) => document.getElementById(id));
  if (place) here(place, fields, (word) => (told.textContent = told.dataset[word]));

  // The picture leaves at once, and the form only names it.
  const photo = document.querySelector("#photo");
  photo?.addEventListener("change", async () => {
    const [file] = photo.files;
    const sent = new FormData();
    if (!file) return;
    sent.append("photo", file);
    try {
      const answer = await fetch("/v1/photos", { method: "POST", body: sent });
      if (!answer.ok) return;
      const { id, url } = await answer.json();
      const path = new URL(url, location.href);
      const image = Object.assign(new Image(), { src: path.pathname + path.search, alt: file.name });
      const tick = document.createElement("input");
      Object.assign(tick, { type: "checkbox", name: "photos", value: id, checked: true });
      const label = document.createElement("label");
      label.append(tick, ` ${file.name}`);
      const shown = document.createElement("p");
      shown.className = "photo";
      shown.append(image, label);
      document.querySelector("#photos").append(shown);
      photo.value = "";
    } catch {
      // It goes with the form.
    }
  });
  document.querySelector("#faults")?.focus();
}

// Among the kinds: a draft that was not sent.
const offer = document.querySelector("#draft");
const draft = offer && kept();
if (draft) {
  offer.hidden = false;
  const kind = encodeURIComponent(draft.kind);
  document.querySelector("#draft-open").href = `/alerts/new?kind=${kind}&draft`;
  document.querySelector("#draft-drop").addEventListener("click", () => {
    localStorage.removeItem(DRAFT);
    offer.hidden = true;
  });
}
worker();
