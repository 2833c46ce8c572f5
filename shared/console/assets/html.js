// Parts of pages that are asked for anew. What comes is our own server's, where every text was
// escaped; the policy of the page lets nothing else become HTML.
const policy = window.trustedTypes?.createPolicy("keng", { createHTML: (html) => html });

const parsed = (html) => {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  return template.content;
};

// The HTML at a path; null where there is none for this reader.
export const asked = async (path) => {
  const answer = await fetch(path, { headers: { accept: "text/html" } });
  return answer.ok && !answer.redirected ? parsed(await answer.text()) : null;
};
