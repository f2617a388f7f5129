// What the shown revision did, marked in the tree: with a word and a colour on what it touched, or on the closed value
// that it lies in.

import { h } from "../../nola/lib/dom.js";
import { tokensOf } from "../../nola/lib/json.js";

const MOST = 300;
const WORDS = { set: "changed", add: "added", move: "moved", remove: "removed", within: "changed inside" };

export class Marks {
  constructor(app) {
    Object.assign(this, { app, marked: [], places: [] });
  }

  clear() {
    for (const { element, badge } of this.marked) {
      element.classList.remove("past-did", "past-did-add", "past-did-set", "past-did-move", "past-did-remove", "past-did-within");
      badge.remove();
    }
    this.marked = [];
    this.places = [];
  }

  show(event) {
    this.places = event ? places_of(event) : [];
    this.draw();
  }

  /** Mark what can be seen; again after something was opened. */
  draw() {
    const { places } = this;
    this.clear();
    this.places = places;
    const seen = new Map();
    for (const place of places.slice(0, MOST)) {
      const [node, did] = this.nearest(place);
      if (!node?.el) continue;
      const before = seen.get(node);
      if (!before || rank(did) > rank(before.did)) seen.set(node, { ...place, did });
    }
    for (const [node, place] of seen) this.mark(node, place);
  }

  nearest({ tokens, did }) {
    let node = this.app.tree.root;
    let found = 0;
    for (const token of did === "remove" ? tokens.slice(0, -1) : tokens) {
      const next = node.kid(token);
      if (!next?.el?.isConnected) break;
      node = next;
      found += 1;
    }
    if (node.isRoot) return [];
    if (did === "remove") return [node, found === tokens.length - 1 ? "remove" : "within"];
    return [node, found === tokens.length ? did : "within"];
  }

  mark(node, { did, tokens }) {
    const element = node.el;
    const what = did === "remove" ? `${WORDS.remove} ${tokens.at(-1)}` : WORDS[did];
    const badge = h("span.past-badge", {}, what);
    element.classList.add("past-did", `past-did-${did}`);
    element.firstChild.append(badge);
    this.marked.push({ element, badge });
  }
}

function rank(did) {
  return ["within", "remove", "move", "set", "add"].indexOf(did);
}

/** Where an event has changed something, as it is afterwards: [{tokens, did}]. */
export function places_of({ changes }) {
  return changes.filter(({ kind }) => kind === "state").flatMap(({ key, ops }) => (ops ? places(key, ops) : [{ tokens: [key], did: "set" }]));
}

const DID = { add: "add", replace: "set", remove: "remove", move: "move" };

function places(key, ops) {
  const found = [];
  for (const op of ops) {
    const path = tokensOf(op.path);
    const from = op.op === "move" && op.from !== op.path ? tokensOf(op.from) : undefined;
    for (const place of found.filter((one) => one.path)) place.path = after(place.path, op.op, path, from);
    found.push({ path, did: DID[op.op] });
  }
  return found.filter((one) => one.path).map(({ path, did }) => ({ tokens: [key, ...path], did }));
}

/** Where a path leads after an operation; undefined where that took it away. */
function after(path, op, to, from) {
  if (op === "remove") return without(path, to);
  if (from?.every((token, at) => path[at] === token)) return [...to, ...path.slice(from.length)];
  const rest = from ? shifted(path, from, -1) : path;
  return op === "add" || from ? shifted(rest, to, 1) : rest;
}

/** A path after something was taken out at `gone`; undefined where it was in there. */
function without(path, gone) {
  if (gone.every((token, at) => path[at] === token)) return undefined;
  return shifted(path, gone, -1);
}

/** A path after an item came (1) or went (-1) before it. A member whose name is a number is no item, but seldom. */
function shifted(path, place, by) {
  const last = place.length - 1;
  if (last < 0 || path.length <= last || !place.slice(0, last).every((token, at) => path[at] === token)) return path;
  const [ours, theirs] = [path[last], place[last]];
  if (!/^\d+$/.test(ours) || !/^\d+$/.test(theirs)) return path;
  const moves = by > 0 ? Number(ours) >= Number(theirs) : Number(ours) > Number(theirs);
  return moves ? [...path.slice(0, last), String(Number(ours) + by), ...path.slice(last + 1)] : path;
}
