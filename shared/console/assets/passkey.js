// What the pages that use passkeys have in common: bytes in base64url, and what a browser's
// authenticator answers.

export const encoded = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

export const decoded = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

// A fault that the server has named, in the words for people.
export class Refused extends Error {}

export const ask = async (path, body) => {
  const answer = await fetch(path, body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(problem.detail ?? `${answer.status}`);
};

// Has a passkey answer to a challenge; without a credential, any of this site's.
export const assertion = async ({ challenge, rp, credential }) => {
  const given = await navigator.credentials.get({
    publicKey: {
      challenge: decoded(challenge),
      rpId: rp,
      userVerification: "required",
      allowCredentials: credential ? [{ type: "public-key", id: decoded(credential) }] : [],
    },
  });
  return {
    id: encoded(given.rawId),
    authenticatorData: given.response.authenticatorData,
    clientData: given.response.clientDataJSON,
    signature: given.response.signature,
  };
};

// The same as the server reads it beside a sign-in or an enrolment.
export const told = ({ authenticatorData, clientData, signature }) => ({
  authenticator_data: encoded(authenticatorData),
  client_data: encoded(clientData),
  signature: encoded(signature),
});

const show = (id, text) => {
  for (const each of ["fault", "missing", "elsewhere", "cancelled", "offline", "no-link"]) {
    const part = document.getElementById(each);
    if (part) part.hidden = each !== id;
  }
  if (text) document.getElementById(id).textContent = text;
};

// Whether passkeys work on this page; says why not.
export const works = () => {
  const { origin } = document.getElementById("passkey").dataset;
  if (location.origin !== origin) show("elsewhere");
  else if (!window.PublicKeyCredential) show("missing");
  else return true;
  return false;
};

// Does something that a button asks for, once at a time, and says what went wrong.
export const pressed = (button, act) => {
  button.addEventListener("click", async () => {
    button.disabled = true;
    show("");
    try {
      await act();
    } catch (why) {
      if (why instanceof Refused) show("fault", why.message);
      else if (why instanceof TypeError) show("offline");
      else show("cancelled");
    }
    button.disabled = false;
  });
};

export { show };
