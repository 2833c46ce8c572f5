// Enrolment: the link's secret stands behind `#`, so that no server's log has it. The passkey is
// made, and then signs once that it is its holder's.
import { ask, assertion, decoded, encoded, pressed, show, told, works } from "./passkey.js";

const token = location.hash.slice(1);
const [make, prove] = ["enrol", "enrol-prove"].map((id) => document.getElementById(id));
let enrolment = null;
let made = null;

const finish = async () => {
  const { rp } = enrolment;
  const wanted = await ask("/enrol/made", { token, authenticator_data: made });
  const proof = told(await assertion({ ...wanted, rp: rp.id }));
  await ask("/enrol/finish", { token, authenticator_data: made, proof });
  history.replaceState(null, "", "/enrol");
  make.hidden = true;
  prove.hidden = true;
  document.getElementById("done").hidden = false;
};

pressed(make, async () => {
  const { rp, user, algorithms, known } = enrolment;
  const created = await navigator.credentials.create({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rp,
      user: { ...user, id: decoded(user.id), displayName: user.name },
      pubKeyCredParams: algorithms,
      excludeCredentials: known.map((id) => ({ type: "public-key", id: decoded(id) })),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: "none",
    },
  });
  made = encoded(created.response.getAuthenticatorData());
  make.hidden = true;
  prove.hidden = false;
  await finish();
});
// Some browsers want another press for the second time.
pressed(prove, finish);

// Another link in the same window: only what stands behind `#` differs.
addEventListener("hashchange", () => location.reload());

if (!token) show("no-link");
else if (works()) {
  try {
    enrolment = await ask("/enrol/begin", { token });
    const line = document.getElementById("for");
    line.textContent = line.dataset.words
      .replace("{officer}", enrolment.officer).replace("{role}", enrolment.role);
    make.disabled = false;
  } catch (why) {
    show("fault", why.message);
  }
}
