// The copy button of a poster's task. Where a browser may not copy, it selects the text.
const text = document.querySelector("#text");
const button = document.querySelector("#copy");
const said = document.querySelector("#said");

button.hidden = false;
button.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(text.textContent);
    said.textContent = said.dataset.copied;
  } catch {
    getSelection().selectAllChildren(text);
    said.textContent = said.dataset.selected;
  }
});
