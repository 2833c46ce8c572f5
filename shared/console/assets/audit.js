// An auditor's page: a slider through what was known, and proofs that this browser checks itself.
import { asked } from "./trusted.js";
import { check, logKey } from "./proof.js";

const SETTLED_MS = 250;

const form = document.querySelector("#slider");
const slider = form.querySelector("#at");
const clock = form.querySelector("#clock");
const known = document.querySelector("#known");
// Viet Nam keeps one offset and no summer time.
const there = new Intl.DateTimeFormat("sv-SE", {
  dateStyle: "short", timeStyle: "medium", timeZone: "Asia/Ho_Chi_Minh",
});

let timer = 0;
let newest = 0;
const show = () => {
  clock.textContent = there.format(Number(slider.value));
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const mine = ++newest;
    const part = await asked(`${form.dataset.known}?at=${slider.value}`);
    // An answer that was overtaken is not shown.
    if (part && mine === newest) known.replaceChildren(part);
  }, SETTLED_MS);
};
slider.addEventListener("input", show);

for (const link of document.querySelectorAll("[data-at]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    slider.value = link.dataset.at;
    show();
    slider.focus();
  });
}

const log = document.querySelector("#log");
logKey(log.dataset.key).then((key) => {
  log.querySelector("code").textContent = key.text;
});

const records = document.querySelector("#records");
records.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-record]");
  if (!button) return;
  const said = button.nextElementSibling;
  button.disabled = true;
  try {
    const { index, size } = await check(button.dataset.record, await logKey(log.dataset.key));
    said.textContent = `${records.dataset.good} ${index + 1}/${size}`;
  } catch (error) {
    const words = { early: records.dataset.early, old: records.dataset.old };
    said.textContent = words[error.message] ?? `${records.dataset.wrong} ${error.message}`;
    button.disabled = false;
  }
});
