// Copies settings, and tells when the first call has come in: the page asks every two seconds while it is seen.

const PAUSE = 2000; // milliseconds between two looks
const page = document.getElementById("connect");
const call = page.querySelector("[data-part=call]");
const said = page.querySelector("[data-part=said]");

for (const button of page.querySelectorAll("[data-copy]")) {
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

async function look() {
  if (!document.hidden) {
    const address = `${page.dataset.callers}?since=${encodeURIComponent(page.dataset.since)}`;
    const response = await fetch(address, { cache: "no-store" }).catch(() => null);
    const { callers = [] } = response?.ok && !response.redirected ? await response.json() : {};
    if (callers.length) {
      call.textContent = `First call received, from ${callers.join(", ")}.`;
      call.dataset.called = "yes";
      return;
    }
  }
  setTimeout(look, PAUSE);
}

look();
