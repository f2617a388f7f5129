// The first screen stays up to date: what has just changed is fetched anew, at most once a second.

import { Feed } from "../../state/tree/feed.js";

const PAUSE = 1000; // milliseconds between two looks
const PROPOSALS = 20_000; // milliseconds after which one looks without a change: a proposal is none, and one is still here
const page = document.getElementById("home");
let waiting = false;
let looked = 0;

function look_soon() {
  if (waiting) return;
  waiting = true;
  setTimeout(look, Math.max(0, looked + PAUSE - Date.now()));
}

async function look() {
  waiting = false;
  looked = Date.now();
  const { activeElement } = document;
  if (activeElement.closest("[data-part]") && activeElement.matches("a")) return look_soon(); // not from under a hand
  const response = await fetch(page.dataset.latest, { cache: "no-store" }).catch(() => null);
  if (!response?.ok || response.redirected) return;
  // the server's own page, in which all that agents write is escaped
  const found = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of found.querySelectorAll("[data-part]")) {
    page.querySelector(`[data-part=${part.dataset.part}]`).replaceChildren(...part.children);
  }
}

setInterval(() => document.visibilityState === "visible" && look_soon(), PROPOSALS);
new Feed({ event: look_soon, reset: look_soon, status: () => {} }).start(Number(page.dataset.head));
