// A file goes into the field of lines, where it can be read before it is sent.
const field = document.getElementById("file-field");
const file = document.getElementById("file");
const lines = document.getElementById("lines");
field.hidden = false;
file.addEventListener("change", async () => {
  const [chosen] = file.files;
  if (chosen) lines.value = await chosen.text();
});
