// The tree page: puts the parts together.

import { Actions } from "./actions.js";
import { Activity } from "./activity.js";
import { Problem, call } from "../../nola/lib/api.js";
import { nameActor } from "../../nola/lib/authors.js";
import { Compare } from "./compare.js";
import { draw } from "./crumbs.js";
import { met } from "./conflicts.js";
import { Drag } from "./drag.js";
import { announce, h } from "../../nola/lib/dom.js";
import { toEnd } from "./end.js";
import { Feed } from "./feed.js";
import { Filter } from "./filter.js";
import { parse, pointerOf, tokensOf, write } from "../../nola/lib/json.js";
import { Keys } from "./keys.js";
import { KeyOrder } from "./key_order.js";
import { Levels } from "./levels.js";
import { Gone, Memory } from "./memory.js";
import { Tools, sheet } from "./menu.js";
import { Mine } from "./mine.js";
import { tellMissing } from "./missing.js";
import { Tree } from "./model.js";
import { Panel } from "./panel.js";
import { View } from "./view.js";
import { Moments } from "./moments.js";
import { Past } from "./past.js";
import { free_name } from "./writes.js";

const page = document.getElementById("nola-tree");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
const me = page.dataset.actor;
const DID = { set: "changed", add: "added", move: "moved", remove: "removed" };
const STATUS = { live: "Live", lost: "Reconnecting …", out: "Signed out", away: "Paused", wait: "Connecting …" };
const ALL = 100; // levels

const loading = new Set();
let addressing;
const app = {}; // the parts, for what is said below; each of them is given only what it needs
app.view = new View(part("list"), part("scroll"), {
  more: (node, behind) => more(node, behind),
  open: (node) => !node.kids?.length && node.size && more(node),
  focus: (node) => here(node),
  row: (node) => app.levels?.row(node),
  keeps: (element) => Boolean(app.actions.session && element.contains(app.actions.session.element)),
});
app.tree = new Tree(app.view);
app.feed = new Feed({
  event: (event) => app.memory.take(event),
  reset: (revision) => {
    app.memory.reset(revision);
    app.panel.reset();
    app.past.reset();
  },
  status,
});
app.memory = new Memory(app.tree, app.feed, { me, find: page.dataset.find }, {
  batch: (change) => app.view.batch(change),
  applied,
  waiting: () => status("lost"),
  missed: (event) => {
    app.activity.add(event);
    app.past.moments.add(event);
    app.past.missed(event);
  },
});
app.activity = new Activity(part("activity"), me, (tokens) => app.actions.reveal(tokens));
app.mine = new Mine(app.memory, { undo: part("undo"), redo: part("redo") }, part("messages"), (revision) =>
  app.actions.goTo({ revision }),
);
app.actions = new Actions(app.tree, app.memory, app.view, app.mine, app.activity);
app.tools = new Tools(app.view, part("foot"), run);
app.drag = new Drag(app.view, app.tools, part("scroll"), (...where) => app.past.refuses("move") || app.actions.move(...where));
app.filter = new Filter(part("filter"), part("found"), app.tree, app.memory, app.view);
const { actions, activity, filter, memory, mine, tools, tree, view } = app;
const keyOrder = new KeyOrder({ actions, filter, memory, tree, view }, page.querySelectorAll("[data-order]"));
const panel = (app.panel = new Panel(page, { actions, activity, memory, mine, reason, tree, view }));
const end = () => toEnd(app).catch((error) => mine.say(reason(error)));
const order = () => keyOrder.toggle().catch((error) => mine.say(reason(error)));
app.keys = new Keys({ actions, filter, level, mine, order, panel, run, sheet, toEnd: end, view }, part("list"));
const parts = { actions, filter, memory, mine, reason, run, tools, tree, view };
const past = (app.past = new Past(parts, page, new Moments(page.dataset.moments)));
app.compare = new Compare(past, page);
app.levels = new Levels({ memory, panel, past, tree }, page);
Object.freeze(app);

async function more(node, behind = undefined) {
  if (loading.has(node)) return;
  loading.add(node);
  try {
    await app.memory.load(node, undefined, behind);
    app.view.lookAgain(node);
    app.past.marks.draw();
  } catch (error) {
    if (!(error instanceof Gone) && node.el) app.view.note(node, reason(error), [["Try again", () => more(node, behind)]]);
  } finally {
    loading.delete(node);
  }
}

/** A revision was applied. What others did is marked; what I am editing is looked after. */
function applied(event, touched, isMine) {
  app.activity.add(event);
  app.panel.applied(event);
  app.past.moments.add(event);
  app.past.bar.draw();
  app.levels.changed(event);
  app.filter.changed();
  if (isMine) return;
  const { name } = nameActor(event.actor, me);
  app.view.afterwards(() => {
    for (const { node, did, parent } of touched.slice(0, 50))
      app.view.mark(did === "remove" ? parent : node, name, DID[did]);
  });
  met(app.actions, event, touched);
  if (touched.some(({ node }) => node === app.view.current)) announce(`${name} changed ${app.view.current.label}`);
}

function status(what) {
  if (page.dataset.status === what) return;
  page.dataset.status = what;
  part("status").textContent = STATUS[what];
  part("out").hidden = what !== "out";
}

/** Where the focus is: in the address, and as a way back up. */
function here(node) {
  const { tokens } = node;
  app.tools.on(node);
  app.panel.on(node);
  app.past.chose(tokens);
  clearTimeout(addressing); // browsers refuse too many changes of the address
  addressing = setTimeout(
    () =>
      history.replaceState(
        null,
        "",
        `#${tokens.map((token) => pointerOf([token]).replace(/[^/]+/, encodeURIComponent)).join("")}${app.past.suffix}`,
      ),
    200,
  );
  draw(part("crumbs"), tokens, (way) => app.actions.reveal(way));
}

async function level(number) {
  const close = (node, left) =>
    (node.kids ?? []).forEach((kid) => {
      close(kid, left - 1);
      if (left <= 1) app.view.setOpen(kid, false);
    });
  if (number > 1) await app.memory.deepen(app.tree.root, number);
  app.view.batch(() => {
    open_to(app.tree.root, number);
    close(app.tree.root, number);
  });
  app.view.focus(app.view.current, { take: false });
  announce(number === ALL ? "Opened all" : `Opened down to level ${number}`);
}

/** At first sight what is in each key is shown, where all of it fits. */
async function openWhereItFits() {
  const { root } = app.tree;
  const rows = root.kids.reduce((sum, { size }) => sum + 1 + size, 0);
  const room = part("scroll").clientHeight / (root.kids[0]?.el.offsetHeight || 1);
  if (!root.isWhole || rows > room) return;
  await app.memory.deepen(root, 2);
  app.view.batch(() => open_to(root, 2));
}

/** Open what is loaded down to a level. */
function open_to(node, levels) {
  if (levels <= 1) return;
  for (const kid of node.kids ?? []) {
    if (!kid.isContainer || !kid.kids) continue;
    kid.open = true;
    open_to(kid, levels - 1);
    app.view.changed(kid);
  }
}

const cut = { node: null };

/** Do a command of the table in menu.js. */
function run(name, node) {
  const { actions } = app;
  if (app.past.refuses(name)) return Promise.resolve();
  const nextTo = node.parent?.kids[node.parent.kids.indexOf(node) + 1] ?? null;
  const does = {
    edit: () => actions.edit(node),
    toggle: () => actions.toggle(node),
    json: () => actions.editJSON(node),
    type: () => (node.isContainer ? actions.editJSON(node) : actions.edit(node, { pick: true })),
    rename: () => actions.rename(node),
    add: () => (node.isContainer ? actions.add(node) : does.after()),
    after: () => actions.add(node.parent, { before: node.isKey ? null : nextTo }),
    before: () => actions.add(node.parent, { before: node.isKey ? null : node }),
    duplicate: () => actions.duplicate(node),
    delete: () => actions.remove(node),
    up: () => actions.nudge(node, -1),
    down: () => actions.nudge(node, 1),
    out: () => actions.outdent(node),
    in: () => actions.indent(node),
    cut: () => take(node),
    paste: () => paste(node, nextTo),
    copy: async () => clip(write(parse((await app.memory.stored(node)).text), "  "), "Copied the value"),
    path: () => clip(node.pointer, "Copied the path"),
    download: async () => download(`${node.label || "value"}.json`, (await app.memory.stored(node)).text),
    history: () => app.panel.enter(node),
    form: () => (location.href = `${page.dataset.form}${admin_quote(node.tokens[0])}/change/`),
    menu: () => app.tools.menu(node),
    open: () => actions.expand(node),
  };
  return Promise.resolve(does[name]()).catch((error) => app.mine.say(reason(error)));
}

/** Why something could not be read, in words. Throws what is no such reason. */
function reason(error) {
  if (error instanceof Problem || error instanceof Gone) return error.message;
  if (error.name === "TypeError" && /fetch|network|load/i.test(error.message))
    return "The server does not answer. Try again in a moment.";
  throw error;
}

function take(node) {
  cut.node?.el?.classList.remove("tree-cut");
  cut.node = node;
  node.el.classList.add("tree-cut");
  announce(`Cut ${node.label}; paste it where it shall go`);
}

/** Move what was cut into this container, or behind this value; otherwise add the JSON in the clipboard. */
async function paste(node, next) {
  const [parent, before] = node.isContainer ? [node, null] : [node.parent, next];
  if (cut.node?.isAttached) {
    cut.node.el?.classList.remove("tree-cut");
    const moved = cut.node;
    cut.node = null;
    return app.actions.move(moved, parent, before);
  }
  const text = await navigator.clipboard?.readText?.().catch(() => "");
  if (!text) return announce("Nothing to paste");
  return app.actions.add(parent, {
    before,
    text: parent.type === "array" ? text : `${await free_name(app.memory, parent, "pasted")}: ${text}`,
  });
}

async function clip(text, said) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = h("textarea", { value: text }); // no clipboard on plain http
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    app.view.focus(app.view.current);
  }
  app.mine.say(said);
}

function download(name, text) {
  const link = h("a", {
    href: URL.createObjectURL(new Blob([text], { type: "application/json" })),
    download: name.replace(/[/\\:]/g, "_"),
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A key as the admin's addresses spell it (django.contrib.admin.utils.quote). */
function admin_quote(key) {
  return encodeURIComponent(
    key.replace(
      /[":/_#?;@&=+$,.[\]<>%\n\\]/g,
      (one) => `_${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    ),
  );
}

function listen() {
  const list = part("list");
  list.addEventListener("click", ({ target }) => {
    const node = target.closest(".tree-edit, .tree-note, .tree-tools")
      ? undefined
      : app.view.nodeAt(target.closest(".tree-row"));
    if (!node) return;
    app.view.focus(node, { scroll: false });
    if (
      node.isContainer &&
      (target.closest(".tree-twist") || matchMedia("(pointer: coarse)").matches || target.closest(".tree-count"))
    )
      app.keys.open(node, !node.open);
  });
  list.addEventListener("dblclick", ({ target }) => {
    const node = app.view.nodeAt(target.closest(".tree-row"));
    if (!node || target.closest(".tree-edit")) return;
    if (target.closest(".tree-name")) run("rename", node);
    else if (node.isContainer) app.keys.open(node, !node.open);
    else run("edit", node);
  });
  list.addEventListener("contextmenu", (event) => {
    const node = event.target.closest(".tree-edit") ? undefined : app.view.nodeAt(event.target.closest(".tree-row"));
    if (!node || event.shiftKey) return;
    event.preventDefault();
    app.tools.menu(node, { right: event.clientX, bottom: event.clientY });
  });
  list.addEventListener(
    "pointerover",
    ({ target, pointerType }) => pointerType === "mouse" && app.tools.on(app.view.nodeAt(target.closest(".tree-row"))),
  );
  list.addEventListener("pointerleave", () => app.tools.on(app.view.current));
  list.addEventListener("focusin", ({ target }) => {
    const node = app.view.nodeAt(target);
    if (node && node.el === target && node !== app.view.current) app.view.focus(node, { scroll: false });
  });
  for (const button of page.querySelectorAll("[data-level]"))
    button.onclick = () => level(Number(button.dataset.level));
  part("new").onclick = part("first").onclick = () => app.past.refuses("new") || app.actions.add(app.tree.root);
  part("help").onclick = sheet;
  part("all").onclick = async () =>
    download("memory.json", (await call("GET", "/api/state", { query: app.memory.lens?.query })).text);
  part("past").onclick = () => app.past.toggle();
  addEventListener("hashchange", ({ newURL }) => app.past.follow(new URL(newURL)).then(to_hash));
  addEventListener(
    "beforeunload",
    (event) => (app.actions.session?.isChanged || app.memory.writing) && event.preventDefault(),
  );
}

async function to_hash() {
  const tokens = tokensOf(location.hash.slice(1).split("&")[0]).map((token) => decodeURIComponent(token));
  if (tokens.length && !(await app.actions.reveal(tokens))) await tellMissing(app, panel, tokens);
}

async function start() {
  status("wait");
  app.panel.start();
  const { hash } = location;
  try {
    await app.memory.open();
  } catch (error) {
    part("list").replaceChildren();
    part("failed").hidden = false;
    part("failed").querySelector("p").textContent = reason(error);
    part("failed").querySelector("button").onclick = () => location.reload();
    return;
  } finally {
    page.removeAttribute("aria-busy");
  }
  listen();
  if (hash) location.hash = hash;
  await app.past.follow();
  await to_hash();
  if (!hash && !location.search) await openWhereItFits().catch(reason); // it can be opened by hand
  if (!app.view.current) app.view.focus(app.tree.root.kids[0], { take: false });
  app.activity.open(app.memory.revision).catch(() => {});
  app.levels.later(0);
}

start();
export { app };
