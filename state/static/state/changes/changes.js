// Changes that a person can read: a tree of places for each key, with what was there and what is there now.
//   told([[key, ops], …]) gives an element; the page loads changes.css.

import { count, h } from "../../nola/lib/dom.js";
import { op_of } from "../tree/feed.js";
import { pointerOf, tokensOf, write } from "../../nola/lib/json.js";
import { shownName } from "../../nola/lib/names.js";
import { between, worth } from "./values.js";

const TREE = "/admin/state/tree/";
const MOST = 100; // operations shown at first, and with every “more”

/** Operations as told() takes them, from an exact JSON Patch (tree/json.js): values stay exact, the rest is plain. */
export function ops_of(patch) {
  return (patch?.items ?? []).map(op_of);
}

/** The patches of an answer, an exact object of key → patch, as told() takes them. */
export function patches_of(patches) {
  return (patches?.members ?? []).map(([key, patch]) => [key, ops_of(patch)]);
}

/** Where in the tree page a node is. */
export function href(tokens) {
  return `${TREE}#${pointerOf(tokens).split("/").map(encodeURIComponent).join("/")}`;
}

/** An element that shows `patches`, [[key, ops], …]. A click on a place calls `reveal(tokens)`; without it the place is
 *  a plain link into the tree. Beyond the `first` operations there is a button for `most` more. Without `heads` the keys
 *  are not named; `at` are the tokens of a node that the operations begin at, which is not named either. */
export function told(patches, { reveal, most = MOST, first = most, heads: has_heads = true, at } = {}) {
  const element = h("div.chg");
  const left = patches.map(([key, ops]) => [key, net(ops)]).filter(([, ops]) => ops.length);
  const total = left.reduce((sum, [, ops]) => sum + ops.length, 0);
  if (!total) element.append(h("p.chg-none", {}, "Nothing changes."));
  const heads = new Map(at || !has_heads ? [] : left.map(([key, ops]) => [key, amount(ops)]));
  let shown = 0;
  const more = (size = most) => {
    for (let room = size; room > 0 && left.length;) {
      const [key, ops] = left[0];
      const some = ops.splice(0, room);
      element.append(of_key(key, some, heads.get(key), reveal, at));
      heads.delete(key); // what follows later of this key goes on below the same head
      shown += some.length;
      room -= some.length;
      if (!ops.length) left.shift();
    }
    if (left.length) element.append(rest());
  };
  const rest = () => {
    const label = `Show more (${(total - shown).toLocaleString("en")} left)`;
    const button = h("button.chg-more.ui-link", { type: "button" }, label);
    button.onclick = () => {
      more();
      const next = button.nextElementSibling?.querySelector("a");
      button.remove();
      next?.focus();
    };
    return button;
  };
  more(first);
  return element;
}

/** The operations, with those that set one place again and again told as one: what was there first, and what is last. */
function net(ops) {
  const found = [];
  const last = new Map(); // path → its place in `found`, until something that lies in it or around it is changed
  for (const op of ops) {
    const before = last.get(op.path);
    if (op.op === "replace" && before !== undefined) {
      found[before] = { ...found[before], value: op.value };
      continue;
    }
    if (op.op !== "replace") last.clear(); // what comes or goes may move the rest
    for (const path of last.keys())
      if (path.startsWith(`${op.path}/`) || op.path.startsWith(`${path}/`)) last.delete(path);
    if (op.op === "replace") last.set(op.path, found.length);
    found.push(op);
  }
  return found.filter((op) => op.op !== "replace" || !op.was || write(op.was) !== write(op.value));
}

function of_key(key, ops, head, reveal, at = [key]) {
  const heading = head && h("div.chg-key", {}, place([key], [key], reveal), " ", h("span.chg-count", {}, head));
  const list = h("ul.chg-list", { "aria-label": `Changes in ${key}` });
  const whole = ops.filter((op) => !op.path);
  for (const op of whole) list.append(h("li.chg-item", {}, line(op)));
  fill(list, grown(ops.filter((op) => op.path)), at, reveal);
  return h("section.chg-part", {}, heading, list);
}

function amount(ops) {
  if (ops.length === 1 && !ops[0].path) return { add: "new key", remove: "key removed" }[ops[0].op] ?? "all of it";
  return count(ops.length, "place", "places");
}

/** The operations as a tree of names: {kids: Map(name → node), ops}. */
function grown(ops) {
  const root = { kids: new Map(), ops: [] };
  for (const op of ops) {
    let node = root;
    for (const name of tokensOf(op.path)) {
      if (!node.kids.has(name)) node.kids.set(name, { kids: new Map(), ops: [] });
      node = node.kids.get(name);
    }
    node.ops.push(op);
  }
  return root;
}

function fill(list, node, tokens, reveal) {
  for (const [name, kid] of node.kids) {
    const names = [name];
    let end = kid;
    while (!end.ops.length && end.kids.size === 1) {
      const [[inner, only]] = end.kids; // a way without forks is one line
      names.push(inner);
      end = only;
    }
    const at = [...tokens, ...names];
    const item = h("li.chg-item", {}, h("span.chg-name", {}, place(at, names, reveal)));
    for (const op of end.ops) item.append(" ", line(op));
    if (end.kids.size) {
      const inner = h("ul.chg-list");
      fill(inner, end, at, reveal);
      item.append(inner);
    }
    list.append(item);
  }
}

function place(tokens, names, reveal) {
  const link = h("a.chg-place", { href: href(tokens), title: "Show in the tree" }, names.map(shownName).join(" › "));
  if (reveal)
    link.onclick = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      reveal(tokens);
    };
  return link;
}

/** What one operation did. */
function line(op) {
  switch (op.op) {
    case "add":
      return h("span.chg-line.chg-added", {}, word("added"), " ", worth(op.value, "ins"));
    case "remove":
      return h("span.chg-line.chg-removed", {}, word("removed"), " ", op.was && worth(op.was, "del"));
    case "replace":
      return h("span.chg-line", {}, ...replaced(op));
    default:
      return h("span.chg-line.chg-moved", {}, word(moved(op)));
  }
}

function replaced({ was, value }) {
  if (!was) return [word("now"), " ", worth(value, "ins")];
  return between(was, value);
}

function moved({ from, path, position }) {
  if (from === path) return `moved to place ${position + 1}`;
  const [before, after] = [tokensOf(from), tokensOf(path)];
  const beside = pointerOf(before.slice(0, -1)) === pointerOf(after.slice(0, -1));
  if (!beside) return `moved here from ${before.map(shownName).join(" › ")}`;
  const is_index = /^\d+$/.test(before.at(-1)) && /^\d+$/.test(after.at(-1));
  return is_index ? `moved here from place ${Number(before.at(-1)) + 1}` : `renamed from ${shownName(before.at(-1))}`;
}

function word(text) {
  return h("span.chg-word", {}, text);
}
