// The search that `/` opens on every page: a combobox (ARIA Authoring Practices) whose list comes from the server.

import { h, icon } from "../lib/dom.js";
import { Recent } from "./recent.js";

const REST = 120; // milliseconds without a key before it looks
const TYPES = "textarea, select, dialog, [popover], [contenteditable]:not([contenteditable=false])";
const TYPED = "input:not([type=checkbox], [type=radio], [type=range], [type=button], [type=submit], [type=reset])";

const dialog = document.getElementById("nola-search");
const form = dialog.querySelector("form");
const field = form.elements.q;
const list = dialog.querySelector(".search-list");
const nothing = dialog.querySelector(".search-nothing");
const said = dialog.querySelector(".search-said");
const part = (name) => dialog.querySelector(`[data-part=${name}]`);
const recent = new Recent(dialog.dataset.user);

let shown = ""; // what the list answers
let current = null; // the option that Enter opens
let asking = null; // what aborts the question that is under way
let timer = 0;
let enters = null; // Enter was pressed before the answer came

function open() {
  if (dialog.open || document.querySelector("dialog:modal")) return;
  dialog.showModal();
  field.focus();
  field.select();
  later(0);
}

function later(rest) {
  enters = null;
  clearTimeout(timer);
  timer = setTimeout(look, rest);
}

async function look() {
  asking?.abort();
  asking = null;
  const asked = field.value.trim();
  if (!asked) return showRecent();
  const mine = (asking = new AbortController());
  dialog.setAttribute("aria-busy", "true");
  try {
    const address = `${dialog.dataset.hits}?${new URLSearchParams({ q: asked })}`;
    const response = await fetch(address, { signal: mine.signal, cache: "no-store" });
    if (response.redirected) throw new Error("You are signed out. Reload the page to sign in.");
    if (!response.ok) throw new Error("The search failed. Try again in a moment.");
    // the server's own page, in which all that is found is escaped
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const told = (name) => page.querySelector(`[data-part=${name}]`);
    if (mine === asking) show(asked, told("list").children, told("nothing").textContent, told("said").textContent);
  } catch (error) {
    if (mine !== asking) return; // overtaken
    show(asked, [], error.name === "TypeError" ? "The server does not answer. Try again in a moment." : error.message);
  }
  asking = null;
}

function show(asked, groups, none, searched = "") {
  shown = asked;
  dialog.removeAttribute("aria-busy");
  list.replaceChildren(...groups);
  list.scrollTop = 0;
  nothing.textContent = none.trim();
  said.textContent = searched.trim();
  part("all").hidden = !asked || !options().length;
  part("forget").hidden = Boolean(asked) || !options().length;
  for (const [number, option] of options().entries()) option.id = `search-option-${number}`;
  field.setAttribute("aria-expanded", String(options().length > 0));
  choose(asked ? options()[0] : null);
  const how = enters;
  enters = null;
  if (how) enter(how);
}

function showRecent() {
  const found = recent.list();
  const title = h("div.search-title", { id: "search-recent", role: "presentation" }, "Recent searches");
  const rows = found.map((text) =>
    h("div.search-hit", { role: "option", "aria-selected": "false", "data-text": text }, icon("history"), h("span.search-told", {}, text)),
  );
  const group = h("div", { role: "group", "aria-labelledby": "search-recent" }, title, ...rows);
  show("", found.length ? [group] : [], found.length ? "" : "Finds keys, values, conversations, messages and pages.");
}

const options = () => [...list.querySelectorAll("[role=option]")];

function choose(option) {
  current?.setAttribute("aria-selected", "false");
  current = option ?? null;
  current?.setAttribute("aria-selected", "true");
  if (current) field.setAttribute("aria-activedescendant", current.id);
  else field.removeAttribute("aria-activedescendant");
  current?.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = options();
  if (!all.length) return;
  const at = all.indexOf(current);
  choose(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length]);
}

/** Open the chosen hit, once the list answers what stands in the field; without one, all hits. */
function enter(how) {
  if (field.value.trim() !== shown) enters = how;
  else if (current) take(current, how);
  else if (shown) form.requestSubmit();
}

function take(option, how) {
  if (option.dataset.text !== undefined) {
    field.value = option.dataset.text;
    field.focus();
    later(0);
    return;
  }
  recent.add(shown);
  if (how.ctrlKey || how.metaKey) {
    globalThis.open(option.href, "_blank", "noopener");
    return;
  }
  dialog.close(); // gives the focus back, before a place on this very page takes it
  location.assign(option.href);
}

const KEYS = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  Enter: (event) => enter(event),
  Escape: () => dialog.close(),
};

field.addEventListener("input", () => later(REST));
field.addEventListener("keydown", (event) => {
  const act = event.isComposing ? undefined : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act(event);
});
list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
list.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (!option) return;
  event.preventDefault();
  take(option, event);
});
form.addEventListener("submit", (event) => {
  if (field.value.trim()) recent.add(field.value);
  else event.preventDefault();
});
part("close").onclick = () => dialog.close();
part("forget").onclick = () => {
  recent.clear();
  showRecent();
  field.focus();
};
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
dialog.addEventListener("close", () => {
  clearTimeout(timer);
  asking?.abort();
  asking = null;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.(`${TYPED}, ${TYPES}`)) return;
  event.preventDefault();
  open();
});
for (const link of document.querySelectorAll(".search-open"))
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open();
  });
