const said = document.getElementById("key-said");

for (const button of document.querySelectorAll("[data-copy]")) {
  const text = document.getElementById(button.dataset.copy);
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text); // not allowed here: at least it is marked
      said.textContent = "Press Ctrl+C to copy it";
      return;
    }
    said.textContent = "It is copied";
  };
}
