// Signing in by a passkey: no name is typed, the authenticator knows whose it is.
import { ask, assertion, pressed, told, works } from "./passkey.js";

const button = document.getElementById("passkey-sign-in");
const { next } = document.getElementById("passkey").dataset;

if (!works()) button.disabled = true;
pressed(button, async () => {
  const { challenge, rp } = await ask("/sign-in/challenge");
  const given = await assertion({ challenge, rp });
  const body = { challenge, credential: given.id, next, ...told(given) };
  const signedIn = await ask("/sign-in/passkey", body);
  location.assign(signedIn.next);
});
