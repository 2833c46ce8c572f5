// Commands of who has signed in by a passkey are signed by it: the server makes the command of a
// form, the authenticator signs it, and only then it is given. Without this script a form is
// posted as it is.
import { assertion, Refused } from "./passkey.js";

const words = document.getElementById("sign").dataset;

// An `Assertion` of `key.proto`: three fields of bytes.
const message = (...fields) => {
  const bytes = fields.flatMap((field, index) => {
    const value = [...new Uint8Array(field)];
    const size = value.length;
    const length = size < 128 ? [size] : [(size & 127) | 128, size >> 7];
    return [((index + 1) << 3) | 2, ...length, ...value];
  });
  return btoa(String.fromCharCode(...bytes));
};

const prepared = async (form, action, button) => {
  const data = new FormData(form, button);
  const answer = await fetch(`${action}?prepare=1`, {
    method: "POST",
    body: form.enctype === "multipart/form-data" ? data : new URLSearchParams(data),
  });
  if (answer.redirected) throw new Refused(words.signedOut);
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(told.detail ?? `${answer.status}`);
  return told;
};

const given = async ({ key, envelope }) => {
  const answer = await fetch("/v1/commands", {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify(envelope),
  });
  const told = await answer.json().catch(() => ({}));
  // It stands already, by an earlier signature under the same key.
  if (told.code === "idempotency-conflict") return {};
  if (!answer.ok) {
    const faults = (told.errors ?? []).map(({ field, reason }) => `${field}: ${reason}`);
    throw new Refused([told.detail ?? `${answer.status}`, ...faults].join("\n"));
  }
  return told;
};

const say = (form, text) => {
  let line = form.querySelector(".fault.signing");
  if (!line) {
    line = document.createElement("p");
    line.className = "fault signing";
    line.setAttribute("role", "alert");
    form.append(line);
  }
  line.textContent = text;
  line.hidden = !text;
};

// What was signed and has no answer yet, by form: another press gives the same again, and makes
// no second command.
const signed = new WeakMap();

const sign = async (form, action, button) => {
  const before = signed.get(form);
  const command = before?.action === action ? before.command : await prepared(form, action, button);
  if (!command.envelope.signature) {
    const { authenticatorData, clientData, signature } = await assertion(command);
    command.envelope.signature = message(authenticatorData, clientData, signature);
    signed.set(form, { action, command });
  }
  const told = await given(command);
  signed.delete(form);
  const then = new URL(command.then, location.href);
  if (told.request || told.state === "held") then.searchParams.set("said", "held");
  location.assign(then);
};

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-command]");
  const button = event.submitter;
  // A button of its own, which asks for no command.
  if (!form || !window.PublicKeyCredential || button && "plain" in button.dataset) return;
  event.preventDefault();
  const action = button?.getAttribute("formaction") ?? form.getAttribute("action");
  if (form.dataset.signing) return;
  form.dataset.signing = "1";
  say(form, "");
  try {
    await sign(form, action, button);
  } catch (why) {
    if (why instanceof Refused) signed.delete(form);
    if (why instanceof Refused) say(form, why.message);
    else say(form, why instanceof TypeError ? words.offline : words.cancelled);
  }
  delete form.dataset.signing;
});
