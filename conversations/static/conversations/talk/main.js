// A conversation that reads like a chat: pages in from either end, arrives live, and is searched and corrected in place.

import { call, follow } from "./api.js";
import { Bubbles } from "./bubbles.js";
import { Find } from "./find.js";
import { day } from "../../nola/lib/dates.js";
import { h } from "../../nola/lib/dom.js";
import { Selection } from "./select.js";

const PAGE = 100;
const AT_ONCE = 1000; // messages that are deleted in one revision
const AHEAD = 1200; // px before an end at which the next page is fetched
const AT_END = 120; // px from the bottom that count as being there

const root = document.querySelector(".nola-talk");
const data = JSON.parse(document.getElementById("nola-talk-data").textContent);
const part = (name) => root.querySelector(`.nola-${name}`);
const scroll = part("talk-scroll");
const api = root.dataset.api;
const bubbles = new Bubbles(part("talk-list"), chooseVersion);
let conversation = data.conversation;
let older = null; // cursors; null: that end is on the page
let newer = null;
let isLoading = false;
let isGone = false;
let unseen = 0;
let sticks = false; // to the end, while the heights of what is above become known
let last = { top: 0, height: 0 };

// Pages

function show(page) {
  older = page.older;
  newer = page.newer;
  bubbles.clear();
  bubbles.add(page.messages);
  edges();
}

function edges() {
  part("talk-top").textContent = older ? "…" : bubbles.rows.length ? "The beginning of the conversation" : "No message was kept of this conversation.";
  part("talk-end").textContent = newer ? "…" : "";
}

/** A page, oldest message first. */
async function messages(query) {
  const page = (await call("GET", `${api}/messages?${new URLSearchParams({ branch: "current", limit: PAGE, ...query })}`)).found;
  return query.order === "newest" ? turned(page) : page;
}

const turned = (page) => ({ ...page, messages: page.messages.toReversed() });

async function more() {
  if (isLoading || isGone) return;
  const toTop = scroll.scrollTop < AHEAD && older;
  const toEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < AHEAD && newer;
  if (!toTop && !toEnd) return;
  isLoading = true;
  try {
    const page = await messages(toTop ? { order: "newest", cursor: older } : { order: "oldest", cursor: newer });
    keepingPlace(() => bubbles.add(page.messages, toTop ? bubbles.rows[0]?.message.id : undefined), Boolean(toTop));
    if (toTop) older = page.older;
    else newer = page.newer;
    edges();
  } catch (error) {
    toast(error.message);
    return;
  } finally {
    isLoading = false;
  }
  requestAnimationFrame(more);
}

/** Changes the list above without moving what is read. */
function keepingPlace(change, isAbove) {
  const anchor = isAbove ? bubbles.rows[0]?.node : null;
  const top = anchor?.getBoundingClientRect().top;
  change();
  if (anchor) scroll.scrollTop += anchor.getBoundingClientRect().top - top;
}

const isAtEnd = () => !newer && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < AT_END;

function toEnd() {
  sticks = true;
  scroll.scrollTop = scroll.scrollHeight;
  unseen = 0;
  pill();
}

async function latest() {
  if (newer) show(await messages({ order: "newest" }));
  toEnd();
}

async function first() {
  if (older) show(await messages({ order: "oldest" }));
  sticks = false;
  scroll.scrollTop = 0;
}

function pill() {
  const button = part("talk-new");
  button.hidden = isAtEnd() && !unseen;
  button.textContent = unseen ? `${unseen} new ↓` : "Latest ↓";
}

/** Shows a message, on whatever page or branch it is, and gives its node; null if it is not there. */
async function jump(id) {
  sticks = false;
  if (!bubbles.known.has(id)) {
    let page = await messages({ around: id });
    if (!page.messages.some((one) => one.id === id)) page = await messages({ around: id, branch: "all" });
    if (page.messages.every((one) => one.id !== id)) return null;
    show(page);
  }
  const node = bubbles.known.get(id).node;
  node.scrollIntoView({ block: "center" });
  requestAnimationFrame(() => node.scrollIntoView({ block: "center" }));
  root.querySelector(".is-target")?.classList.remove("is-target");
  node.classList.add("is-target");
  return node;
}

// What is said meanwhile

async function arrive() {
  if (newer || isGone) {
    unseen += 1;
    return pill();
  }
  const wasAtEnd = isAtEnd();
  let page = await messages({ order: "newest" });
  let count = bubbles.add(page.messages);
  for (let turn = 0; count && count % PAGE === 0 && page.older && turn < 20; turn++) {
    const next = page.messages[0].id;
    page = await messages({ order: "newest", cursor: page.older });
    const some = bubbles.add(page.messages, next);
    if (!some) break;
    count += some;
  }
  edges();
  if (wasAtEnd) toEnd();
  else unseen += count;
  pill();
}

/** After a time without news: what is on the page from the newest messages on is made as it is now. */
async function anew() {
  await renew();
  await arrive();
  if (newer) return;
  const page = await messages({ order: "newest" });
  const now = new Map(page.messages.map((one) => [one.id, one]));
  const shown = bubbles.rows.slice(page.older ? bubbles.place(page.messages[0].id) : 0).map((row) => row.message);
  bubbles.remove(shown.filter((one) => !now.has(one.id)).map((one) => one.id));
  for (const one of shown) if (now.has(one.id) && now.get(one.id).revision !== one.revision) bubbles.replace(now.get(one.id));
}

async function heard(revision) {
  for (const change of revision.changes) {
    const patch = change.patch ?? {};
    if (change.kind === "message") {
      if (patch.remove) bubbles.remove(patch.remove);
      if (patch.add || revision.truncated) await arrive();
      for (const id of Object.keys(patch.set ?? {}).map(Number)) if (bubbles.known.has(id)) await refresh(id);
    } else if (change.kind === "conversation") {
      if (patch.purge !== undefined) gone("This conversation was erased for good.");
      else if (patch.remove) isGone || gone("Conversation deleted.", revision.revision);
      else await renew();
    }
  }
}

async function refresh(id) {
  bubbles.replace((await call("GET", `${api}/messages/${id}`)).found);
}

async function renew() {
  conversation = (await call("GET", api)).found;
  if (isGone) location.reload();
  head();
}

const quietly = (work) => async (...given) => {
  try {
    await work(...given);
  } catch (error) {
    if (error.status === 410 || error.status === 404) gone("This conversation was deleted.");
    else toast(error.message);
  }
};
if (data.may_follow) follow(conversation.session_id, data.revision, quietly(heard), quietly(anew));
else document.addEventListener("visibilitychange", () => document.hidden || quietly(anew)());

// Correcting

function head() {
  part("talk-title").textContent = conversation.name;
  document.title = `${conversation.name} · Conversations · Nola`;
  const started = conversation.started ? day(conversation.started) : "";
  const count = `${conversation.messages.toLocaleString()} message${conversation.messages === 1 ? "" : "s"}`;
  const facts = [started, count, conversation.channel, conversation.source, ...conversation.tags.map((tag) => `#${tag}`), conversation.archived ? "archived" : "", conversation.session_id];
  part("talk-facts").textContent = [...new Set(facts.filter(Boolean))].join(" · ");
  part("archive").textContent = conversation.archived ? "Take out of archive" : "Archive";
}

async function change(fields) {
  conversation = (await call("PATCH", api, fields)).found;
  head();
}

function rename() {
  const title = part("talk-title");
  const input = h("input.nola-talk-rename.ui-input.ui-small");
  input.value = conversation.title;
  input.placeholder = conversation.title ? "A title" : conversation.name;
  input.maxLength = 1000;
  input.setAttribute("aria-label", "Title");
  title.hidden = true;
  title.after(input);
  input.focus();
  input.select();
  let isDone = false;
  const end = async (isKept) => {
    if (isDone) return;
    isDone = true;
    const text = input.value.trim();
    input.remove();
    title.hidden = false;
    if (isKept && text !== conversation.title) await quietly(change)({ title: text });
  };
  input.onblur = () => end(true);
  input.onkeydown = (event) => {
    if (event.key === "Enter") end(true);
    if (event.key === "Escape") end(false);
  };
}

async function chooseVersion(id) {
  if (data.may_write) await quietly(change)({ current_leaf: id }); // else it is only looked at
  bubbles.clear();
  await quietly(jump)(id);
}

function toast(text, revision, back) {
  const box = part("talk-toast");
  box.replaceChildren(h("span", {}, text));
  if (revision && data.may_undo) {
    const undo = h("button.ui-button.ui-small", {}, "Undo");
    undo.type = "button";
    undo.onclick = quietly(async () => {
      await call("POST", "/api/undo", { revision });
      box.hidden = true;
      back();
    });
    box.append(undo);
  }
  const close = h("button.ui-button.ui-small", {}, "×");
  close.type = "button";
  close.setAttribute("aria-label", "Close");
  close.onclick = () => (box.hidden = true);
  box.append(close);
  box.hidden = false;
}

function gone(text, revision) {
  isGone = true;
  root.classList.add("is-gone");
  toast(text, revision, () => location.reload());
}

/** Deletes messages, with a way back; whether it could. */
async function remove(ids) {
  let revision = 0;
  try {
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const query = ids.slice(at, at + AT_ONCE).map((id) => `id=${id}`).join("&");
      ({ revision } = await call("DELETE", `${api}/messages?${query}`));
      bubbles.remove(ids.slice(at, at + AT_ONCE));
    }
    await renew();
  } catch (error) {
    toast(error.message);
    return false;
  }
  toast(`${ids.length.toLocaleString()} message${ids.length === 1 ? "" : "s"} deleted.`, ids.length <= AT_ONCE ? revision : 0, () => {
    quietly(renew)();
    quietly(jump)(ids[0]);
  });
  return true;
}

const finder = new Find(root, conversation.session_id, jump, toast);
const selection = new Selection(root, remove);
part("talk-title").onclick = () => data.may_write && rename();
part("archive").onclick = () => quietly(change)({ archived: !conversation.archived });
part("delete").onclick = quietly(async () => {
  const { revision } = await call("DELETE", api);
  gone("Conversation deleted.", revision);
});
part("talk-new").onclick = quietly(latest);
part("archive").hidden = !data.may_write;
for (const name of ["select", "delete"]) part(name).hidden = !data.may_write;
new ResizeObserver(() => {
  if (sticks) scroll.scrollTop = scroll.scrollHeight;
}).observe(part("talk-list"));
scroll.addEventListener("scroll", () => {
  if (scroll.scrollTop < last.top && scroll.scrollHeight === last.height) sticks = isAtEnd(); // somebody has scrolled
  last = { top: scroll.scrollTop, height: scroll.scrollHeight };
  more();
  if (isAtEnd()) unseen = 0;
  pill();
}, { passive: true });
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && selection.isOn) selection.turn(false);
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "f") finder.field.focus();
  else if (event.key === "e" && data.may_write) rename();
  else if (event.key === "Home") quietly(first)();
  else if (event.key === "End") quietly(latest)();
  else return;
  event.preventDefault();
});
document.addEventListener("click", (event) => {
  for (const menu of root.querySelectorAll("details[open]")) if (!menu.contains(event.target)) menu.open = false;
});

function begin() {
  if (data.question) quietly((...asked) => finder.find(...asked))(data.question, data.target);
  if (data.target) quietly(jump)(data.target);
  else if (!data.question) toEnd();
  if (document.activeElement === document.body) scroll.focus({ preventScroll: true }); // never away from who types already
  pill();
  more();
}

head();
show(data.target ? data.page : turned(data.page));
// The theme hides the page until it is ready, and what is hidden cannot be scrolled.
const shown = new ResizeObserver(() => {
  if (!scroll.clientHeight) return;
  shown.disconnect();
  begin();
});
shown.observe(scroll);
