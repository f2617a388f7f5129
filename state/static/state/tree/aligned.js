// Two moments as one tree: what was there first is loaded as the tree has it, then the changes between are applied to it.
// Nodes keep their identity, so what was moved is known to be the same, and both sides stand beside each other.

import { patches_of } from "../changes/changes.js";
import { call } from "../../nola/lib/api.js";
import { look } from "./glimpse.js";
import { member, parse, pointerOf, tokensOf, write } from "../../nola/lib/json.js";
import { Tree } from "./model.js";

const MOST = 1000; // places whose surroundings are read
const ROUNDS = 4; // readings, until all that changed is among what is opened
const LONG = 8; // characters of JSON from which on a value is taken for the same one somewhere else
const MUTE = { inserted() {}, removed() {}, changed() {} };

/** What differs from one revision to a later one: {rows, rest, total}. `rows` are those of the keys, each {then, now, did,
 *  kids}; `rest` the patches [[key, ops], …] of what is too far away from the first pages to be shown in its place. */
export async function aligned(from, to, signal, order) {
  const query = { from, to, was: true };
  const patches = patches_of(member(parse((await call("GET", "/api/diff", { query, signal })).text), "patches"));
  const total = patches.reduce((sum, [, ops]) => sum + ops.length, 0);
  const ways = around(patches);
  for (let round = 1; ; round += 1) {
    const { view } = await look({ query: { at: from } }, [...ways.values()], MOST, signal, order);
    const { tree, rest } = done(view, patches, ways, order);
    const isAll = !rest.length || !rest.ways || ways.size >= MOST || round === ROUNDS;
    if (isAll) return { rows: rows_of(tree.root), rest, total };
  }
}

/** The changes, done to what a view tells. Where they lead to something that is not opened, `ways` gets the way there. */
function done(view, patches, ways, order) {
  const tree = Object.assign(new Tree(MUTE), { order });
  tree.fill(tree.root, view);
  remember(tree.root, []);
  const [twins, known] = [new Twins(), ways.size];
  const rest = patches.map(([key, ops]) => [key, applied(tree, key, ops, twins, ways)]).filter(([, ops]) => ops.length);
  rest.ways = ways.size > known;
  twins.meet();
  return { tree, rest };
}

/** All that lies around the changes: the ways to their places. */
function around(patches) {
  const ways = new Map();
  for (const [key, ops] of patches)
    for (const op of ops)
      for (const pointer of [op.path, op.from].filter(Boolean)) open(ways, [key, ...tokensOf(pointer)]);
  return ways;
}

/** Note that all on the way to a place shall be opened. */
function open(ways, tokens) {
  for (let at = 1; at < tokens.length && ways.size < MOST; at += 1) {
    const way = tokens.slice(0, at);
    ways.set(pointerOf(way), way);
  }
}

/** The way to a place, as far as it is loaded the one at the earlier moment: items may have come before it since. */
function led(tree, tokens) {
  let node = tree.root;
  let at = 0;
  for (let next; at < tokens.length - 1 && (next = node.kid(tokens[at])); at += 1) node = next;
  return node.then ? [...node.then.tokens, ...tokens.slice(at)] : tokens;
}

/** Note of every node what and where it was. */
function remember(node, tokens) {
  node.then = { tokens, type: node.type, value: node.value, size: node.size, truncated: node.truncated, bytes: node.bytes };
  node.before = node.kids ? [...node.kids] : [];
  node.before.forEach((kid, at) => remember(kid, [...tokens, node.type === "array" ? String(at) : kid.name]));
}

/** Do the changes of a key. Returns those that touch nothing that is loaded. */
function applied(tree, key, ops, twins, ways) {
  const left = [];
  for (const op of ops) {
    const touched = tree.apply(key, [op]);
    if (!touched.length) {
      left.push(op);
      open(ways, led(tree, [key, ...tokensOf(op.path)]));
    }
    for (const { node, did } of touched) if (!node.did || did === "remove") node.did = did;
    if (touched.length) twins.note(op, touched[0].node);
  }
  return left;
}

/** What went from one place and came to another with the same value was moved, if there is no doubt which it was: there
 *  is one such value, and it is long enough or keeps its name. */
class Twins {
  constructor() {
    Object.assign(this, { gone: new Map(), came: new Map() });
  }

  note({ op, was, value }, node) {
    const [pile, one] = op === "remove" ? [this.gone, was] : op === "add" ? [this.came, value] : [];
    if (!one) return;
    const text = write(one);
    pile.set(text, [...(pile.get(text) ?? []), node]);
  }

  meet() {
    for (const [text, [gone, ...more]] of this.gone) {
      const [came, ...others] = this.came.get(text) ?? [];
      if (!came?.isAttached || gone.isAttached || more.length || others.length) continue;
      if (text.length < LONG && gone.lost?.at(-1) !== came.label) continue;
      Object.assign(gone, { twin: came });
      Object.assign(came, { then: gone.then, did: "move", isTwin: true });
    }
  }
}

/** The rows below a node: as they are later, with what has gone from between them. */
function rows_of(node) {
  const now = node.kids ?? [];
  const gone = (node.before ?? []).filter((kid) => kid.parent !== node);
  const rows = now.map((kid) => row_of(kid));
  for (const kid of gone) {
    const at = node.before.indexOf(kid);
    const next = node.before.slice(at + 1).find((one) => one.parent === node);
    const place = next ? rows.findIndex((row) => row.node === next) : rows.length;
    rows.splice(place < 0 ? rows.length : place, 0, departed(kid));
  }
  return rows;
}

function row_of(kid) {
  const { then } = kid;
  const now = { tokens: kid.tokens, type: kid.type, value: kid.value, size: kid.size, truncated: kid.truncated, bytes: kid.bytes };
  const kids = kid.kids?.length || kid.before?.length ? rows_of(kid) : [];
  const did = then ? (kid.did === "move" ? "move" : kid.did === "set" && !same(then, now) ? "set" : undefined) : "add";
  return { node: kid, then, now, did, kids: did === "add" || kid.isTwin ? [] : kids };
}

/** A row of what is not here any more: removed, or moved to somewhere else. */
function departed(kid) {
  const to = kid.isAttached ? kid.tokens : kid.twin?.tokens;
  return { node: kid, then: kid.then, now: undefined, did: to ? "left" : "remove", to, kids: [] };
}

function same(one, other) {
  if (one.type !== other.type) return false;
  return one.type === "object" || one.type === "array" || (one.value === other.value && !one.truncated && !other.truncated);
}
