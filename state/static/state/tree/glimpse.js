// One look at everything through a lens (a moment, a level): the tree with all that is opened in it, in as few answers
// as the length of an address allows, and all of them of one moment.

import { tree_view } from "../../nola/lib/api.js";
import { pointerOf } from "../../nola/lib/json.js";
import { PAGE } from "./memory.js";
import { portions } from "../../nola/lib/portions.js";

const MOST = 1000; // members or items of an opened node in one answer

/** {view, revision} of all, the keys in an order, with the nodes at these tokens opened. Throws Problem, and AbortError
 *  at the signal. */
export async function look(lens, opened, limit, signal, order) {
  const [first, ...others] = portions(opened.map(pointerOf));
  const ask = (open, seen) => tree_view([], { depth: 1, limit: Math.min(MOST, Math.max(PAGE, limit)), open, order }, seen, signal);
  const { view, revision } = await ask(first, lens);
  const same = { query: { ...lens?.query, at: revision } };
  for (const answer of await Promise.all(others.map((open) => ask(open, same)))) join(view, answer.view);
  return { view, revision };
}

/** Put into a view what another one of the same moment has opened beside. */
function join(view, other) {
  for (const list of ["members", "items"]) {
    if (!other[list]) continue;
    if (!view[list]) Object.assign(view, { [list]: other[list], next: other.next });
    else other[list].forEach((one, at) => (list === "items" ? join(view.items[at], one) : join(view.members[at][1], one[1])));
  }
}

/** Make a tree show a view: what is told is taken over, what is not is let go, and what was open is opened. */
export function fill(tree, view, opened) {
  const open = new Set(opened.map(pointerOf));
  letGo(tree, tree.root, view);
  tree.fill(tree.root, view, { fresh: true });
  reopen(tree, tree.root, open);
}

/** Nodes of which the view tells nothing inside: what is loaded in them is of another moment. */
function letGo(tree, node, view) {
  const parts = view.members ?? view.items?.map((item, at) => [String(at), item]);
  if (!parts) {
    if (node.kids?.length) tree.become(node, view);
    if (!node.isRoot) node.open = false;
    return;
  }
  if (view.type !== node.type) return;
  for (const [name, value] of parts) {
    const kid = node.kid(name);
    if (kid) letGo(tree, kid, value);
  }
}

function reopen(tree, node, open, way = "") {
  (node.kids ?? []).forEach((kid, at) => {
    const pointer = way + pointerOf([node.type === "array" ? at : kid.name]);
    if (!kid.kids?.length || !open.has(pointer)) return;
    kid.open = true;
    tree.on.changed(kid);
    reopen(tree, kid, open, pointer);
  });
}

/** What is opened in a tree, and what is closed though there is something in it: each a list of tokens. */
export function openness(tree) {
  const [open, closed] = [[], []];
  const walk = (node, tokens) =>
    (node.kids ?? []).forEach((kid, at) => {
      if (!kid.isContainer || !kid.size) return;
      const way = [...tokens, node.type === "array" ? String(at < node.prefix ? at : kid.at) : kid.name];
      (kid.open ? open : closed).push(way);
      if (kid.open) walk(kid, way);
    });
  walk(tree.root, []);
  return { open, closed };
}
