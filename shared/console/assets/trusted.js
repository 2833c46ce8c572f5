// The one Trusted Types policy of our pages, and what needs it. It lets through what our own
// server has drawn, and our own worker; nothing else.
const WORKER = "/sw.js";
const policy = window.trustedTypes?.createPolicy("keng", {
  createHTML: (html) => html,
  createScriptURL: (url) => {
    if (url !== WORKER) throw new TypeError(url);
    return url;
  },
});

// HTML that our server answered with, as nodes.
export const parsed = (html) => {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  return template.content;
};

// What our server shows at a path; null where it is another page, or none.
export const asked = async (path) => {
  const answer = await fetch(path, { headers: { accept: "text/html" } });
  return answer.ok && !answer.redirected ? parsed(await answer.text()) : null;
};

// The worker that holds what cannot be sent. Without one everything works while the line is up.
export const worker = async () => {
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (data.told === "sent") localStorage.removeItem("keng-draft");
  });
  try {
    const url = policy ? policy.createScriptURL(WORKER) : WORKER;
    await navigator.serviceWorker?.register(url);
    const ready = await navigator.serviceWorker?.ready;
    ready?.active?.postMessage({ ask: "send" });
  } catch {
    // A browser that keeps none, or not now.
  }
};

// Fills two fields with where this phone is, on the press of a button.
export const here = (button, [lat, lon], say) => {
  if (!navigator.geolocation) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    say("asked");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        lat.value = coords.latitude.toFixed(5);
        lon.value = coords.longitude.toFixed(5);
        lat.dispatchEvent(new Event("input", { bubbles: true }));
        say("found");
      },
      () => say("failed"),
      { enableHighAccuracy: true, timeout: 15_000, maximumAge: 60_000 },
    );
  });
};
