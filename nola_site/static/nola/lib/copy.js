// Buttons that copy the text of the element they name by data-copy. Each says itself what came of it, until another is
// pressed; [data-copied] says it to those who do not see the button.

export function enableCopying(root = document) {
  const said = root.querySelector("[data-copied]");
  let last;
  root.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    const isCopied = await copy(document.getElementById(button.dataset.copy));
    if (last) last.textContent = "Copy";
    last = button;
    button.textContent = isCopied ? "Copied" : "Ctrl+C";
    said.textContent = isCopied ? "It is copied" : "Press Ctrl+C to copy it";
  });
}

async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element); // not allowed here: at least it is marked
    return false;
  }
}
