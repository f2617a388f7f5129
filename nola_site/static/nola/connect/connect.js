// Tells when the first call has come in: the page asks every two seconds while it is seen.

import { enableCopying } from "../lib/copy.js";

const PAUSE = 2000; // milliseconds between two looks
const page = document.getElementById("connect");
const call = page.querySelector("[data-part=call]");

enableCopying(page);

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
