// The page of all that happened: it reads the history, follows what comes, and takes things back.

import { undo } from "../changes/undo.js";
import { Problem } from "../../nola/lib/api.js";
import { announce, count, h, icon, sentence } from "../../nola/lib/dom.js";
import { Feed } from "../tree/feed.js";
import { Details } from "./details.js";
import { Filters } from "./filters.js";
import { List } from "./list.js";
import { follow } from "./one.js";
import { undoing } from "./rows.js";
import { Source } from "./source.js";

const STATUS = { live: "Live", lost: "Reconnecting …", out: "Signed out", away: "Paused", wait: "Connecting …" };
const UNASKED = 6; // pages that are read on without the reader having scrolled
const NEAR = 1500; // pixels before the end at which older ones are read
const MOST = 2000; // entries that are kept while nobody reads further down
const GATHER = 150; // milliseconds in which what happens is gathered

const page = document.getElementById("nola-activity");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
const app = { me: page.dataset.actor, mayUndo: page.dataset.undo !== undefined, undo: take_back };
const list = (app.list = new List(part("feed"), part("scroll"), app));
const filters = new Filters(part("filters"), app.me, open);
const feed = new Feed({ event: () => soon(), reset: () => filters.read(), status });
const details = new Details();
const undos = { all: part("all"), message: part("message") };
let source;
let unasked = 0;
let isRefused = false;

/** What the feed says. A stream that was opened before the session ended lives on for a while: it says nothing of a
 *  sign-in that was refused, until it breaks, or a read is answered. */
function status(what) {
  if (what !== "live") isRefused = false;
  if (!isRefused) say(what);
}

function refused() {
  isRefused = true;
  say("out");
}

function say(what) {
  page.dataset.status = what;
  part("status").textContent = STATUS[what];
  part("out").hidden = what !== "out";
  if (what === "live" && feed.last > source?.head) soon();
}

function reason(error) {
  return error instanceof Problem ? `${sentence(error.message)}.` : "The server does not answer.";
}

// Reading

/** Show the history for another filter, from its newest change on. */
async function open(filter) {
  source = new Source(filter);
  list.clear();
  unasked = 0;
  page.setAttribute("aria-busy", "true");
  part("scroll").scrollTop = 0;
  part("new").hidden = true;
  for (const name of ["empty", "end", "older", "failed"]) part(name).hidden = true;
  undos.all.hidden = true;
  await older();
  page.removeAttribute("aria-busy");
}

/** Read on while the end is near. */
async function older() {
  const mine = source;
  if (mine.isReading) return;
  mine.isReading = true;
  part("wait").hidden = false;
  part("failed").hidden = part("older").hidden = true;
  try {
    do {
      const entries = await mine.older();
      if (isRefused) status("wait"); // signed in again
      if (mine !== source) return;
      for (const { actor } of entries) filters.know(actor);
      list.append(entries);
      unasked += 1;
    } while (!mine.isDone && is_near() && unasked < UNASKED);
    part("older").hidden = mine.isDone || !is_near();
  } catch (error) {
    if (mine === source) failed(error);
  } finally {
    mine.isReading = false;
    if (mine === source) settled();
  }
}

function is_near() {
  const scroll = part("scroll");
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
}

function failed(error) {
  if (error instanceof Problem && error.isSignedOut) refused();
  part("failed").hidden = false;
  part("failed").querySelector("p").textContent = reason(error);
  part("failed").querySelector("button").onclick = older;
}

function settled() {
  part("wait").hidden = true;
  const nothing = list.isEmpty && source.isDone;
  part("feed").hidden = list.isEmpty;
  list.mark();
  part("empty").hidden = !nothing;
  part("end").hidden = nothing || !source.isDone || list.isEmpty;
  part("empty").querySelector("h2").textContent = filters.isNarrow ? "Nothing like that happened" : "Nothing has happened yet";
  part("empty").querySelector("p").textContent = filters.isNarrow
    ? "Choose less above, or clear the filters."
    : "What agents and people change appears here at once.";
  const { whole } = filters;
  undos.all.hidden = !app.mayUndo || !whole || list.isEmpty;
  if (whole) undos.all.textContent = `Undo all by ${whole.name}`;
  if (source.head !== undefined && !feed.started) {
    feed.started = true;
    feed.start(source.head);
  }
}

// What comes

let gathering;

function soon() {
  if (source?.isOpen) gathering ??= setTimeout(look, GATHER);
}

/** Fetch what is new, and put it on top. */
async function look() {
  const mine = source;
  try {
    if (mine.head === undefined) return;
    const entries = await mine.newer();
    if (mine !== source) return;
    if (!entries) filters.read();
    else if (entries.length) arrived(entries);
  } catch (error) {
    if (error instanceof Problem && error.isSignedOut) refused();
    else if (mine === source) mine.isBehind = true;
  } finally {
    gathering = undefined;
    if (mine === source && feed.last > mine.head && !mine.isBehind) soon();
    mine.isBehind = false;
  }
}

function arrived(entries) {
  const scroll = part("scroll");
  const is_top = scroll.scrollTop < 40;
  if (is_top && list.size > MOST && !list.isUsed) return filters.read(); // a page that is left open for days stays light
  const height = scroll.scrollHeight;
  const top = scroll.scrollTop;
  for (const { actor } of entries) filters.know(actor);
  list.prepend(entries);
  if (!is_top) {
    scroll.scrollTop = top + scroll.scrollHeight - height;
    app.unseen = (app.unseen ?? 0) + entries.length;
    part("new").textContent = `${count(app.unseen, "new change", "new changes")} ↑`;
    part("new").hidden = false;
  }
  settled();
}

// Taking back

async function take_back(what, title) {
  const revision = await undo(what, { title });
  if (revision !== undefined) tell(revision, "Taken back.", "Undo this undo", "Put back what was taken back");
}

/** Say that it is done, with the way back. */
function tell(revision, said, label, title) {
  const back = h("button.ui-button.ui-small", { type: "button" }, label);
  back.onclick = async () => {
    const made = await undo({ revision }, { title });
    if (made !== undefined) tell(made, "It is back.", "Take it back again", "Take it back again");
  };
  const close = h("button.ui-icon", { type: "button", "aria-label": "Close", onclick: () => undos.message.replaceChildren() }, icon("close"));
  undos.message.replaceChildren(h("span", {}, said), back, close);
}

undos.all.onclick = () => {
  const { what, name, when } = filters.whole;
  take_back(what, `Undo everything ${name} did${when && ` ${when}`}`);
};

// Keys and scrolling

function key(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog")) {
    if (event.key === "Escape" && event.target.closest(".act-bar")) list.step(0);
    return;
  }
  const act = KEYS[event.key];
  if (!act || (event.key === "Enter" && event.target !== list.current)) return;
  event.preventDefault();
  act();
}

const KEYS = {
  ArrowDown: () => list.step(1),
  ArrowUp: () => list.step(-1),
  Home: () => list.go(list.rows[0]),
  End: () => list.go(list.rows.at(-1)),
  Enter: () => enter(list.current),
  u: () => app.mayUndo && list.current && app.undo(...undoing(list.current.group?.line.entries ?? [list.current.entry], app)),
  f: () => part("filters").elements.key.focus(),
};

/** Open a group, or the details of a change. */
function enter(element) {
  if (!element.group) return details.open(element.entry.seq);
  element.group.toggle();
  return announce(element.group.line.isOpen ? "Opened" : "Closed");
}

/** A click on a row opens its details, but not on what leads elsewhere, and not where words were marked. */
function click(event) {
  const { entry } = event.target.closest(".act-row") ?? {};
  const time = event.target.closest(".act-time");
  const isOther = event.target.closest("a, button, summary, details, pre") && !time;
  if (entry && !isOther && getSelection().isCollapsed) follow(event, () => details.open(entry.seq));
}

part("scroll").onscroll = () => {
  unasked = 0;
  if (part("scroll").scrollTop < 40) part("new").hidden = !(app.unseen = 0);
  if (is_near() && !source.isDone && part("failed").hidden) older();
};
part("older").onclick = () => {
  unasked = 0;
  older();
};
part("new").onclick = () => part("scroll").scrollTo({ top: 0 });
part("feed").onclick = click;
page.onkeydown = key;
part("feed").addEventListener("focusin", ({ target }) => list.mark(target.closest(".act-row")));
document.addEventListener("keydown", (event) => {
  if (event.target === document.body) key(event);
});
status("wait");
filters.read();

export { app, feed, older };
