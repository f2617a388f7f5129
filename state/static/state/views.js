// G leads from the one view of the keys to the other, wherever nobody is typing.

document.addEventListener("keydown", (event) => {
  const { key, ctrlKey, metaKey, altKey, target } = event;
  if (event.defaultPrevented || ctrlKey || metaKey || altKey || key.toLowerCase() !== "g") return;
  if (target.closest?.("input, textarea, select, [contenteditable], dialog, [popover]")) return;
  document.querySelector(".views a:not([aria-current])").click();
});
