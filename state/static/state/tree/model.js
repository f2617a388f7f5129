// The memory as far as it is loaded: nodes with an identity, not paths. A node stays the same object while others
// insert before it, rename it or move it; its path is computed when it is needed. Only what the server has confirmed
// is in here, in the order of its revisions: what is still being saved is drawn on top of it (see memory.js).

import { pointerOf, tokensOf } from "../../nola/lib/json.js";
import { compareKeys } from "./key_order.js";

let made = 0;

/** A value at its place. `kids` are its loaded members or items, null while none are. */
export class Node {
  constructor(name, value) {
    this.id = `n${++made}`;
    this.name = name; // of a member; items have none
    this.parent = null;
    this.open = false;
    this.set(value);
  }

  get isContainer() {
    return this.type === "object" || this.type === "array";
  }

  get isKey() {
    return this.parent !== null && this.parent.parent === null;
  }

  /** Where it stands: `kids` begins with what is loaded without a gap; single ones behind it know their place. */
  get index() {
    const at = this.parent.kids.indexOf(this);
    return at < this.parent.prefix ? at : this.at;
  }

  get label() {
    return this.parent?.type === "array" ? String(this.index) : this.name;
  }

  /** The way to it; for what is not there any more, the way to where it was. */
  get tokens() {
    return this.parent ? [...this.parent.tokens, this.label] : (this.lost ?? []);
  }

  get pointer() {
    return pointerOf(this.tokens);
  }

  get isAttached() {
    let node = this;
    while (node.parent) node = node.parent;
    return node.isRoot === true;
  }

  /** Whether all its members or items are loaded. */
  get isWhole() {
    return this.kids !== null && this.prefix >= this.size;
  }

  /** Those that stand alone, behind what is loaded without a gap. */
  get singles() {
    return this.kids?.slice(this.prefix) ?? [];
  }

  /** What its rows show, in order: kids, and for those that are not loaded {behind: a kid or null, left, isLast}. */
  get rows() {
    const rows = this.kids.slice(0, this.prefix);
    let [behind, next, left] = [rows.at(-1) ?? null, this.prefix, this.size - this.kids.length];
    for (const kid of this.singles) {
      const missing = Math.min(left, kid.at - next);
      if (missing > 0) rows.push({ behind, left: missing });
      left -= Math.max(0, missing);
      rows.push(kid);
      [behind, next] = [kid, kid.at + 1];
    }
    if (left > 0) rows.push({ behind, left, isLast: true });
    return rows;
  }

  within(other) {
    for (let node = this; node; node = node.parent) if (node === other) return true;
    return false;
  }

  kid(token) {
    if (!this.kids) return undefined;
    if (this.type === "object") return this.named(token);
    const index = Number(token);
    return index < this.prefix ? this.kids[index] : this.kids.find((kid, at) => at >= this.prefix && kid.at === index);
  }

  named(name) {
    this.names ??= new Map(this.kids.map((kid) => [kid.name, kid]));
    return this.names.get(name);
  }

  /** Become another value, and stay the same node. Members and items are built where the value tells them. */
  set(value) {
    this.type = value.type;
    this.value = value[value.type];
    this.truncated = value.truncated ?? false;
    this.measure(value);
    const parts = parts_of(value);
    this.size = value.size ?? parts?.length ?? 0;
    this.kids = parts?.map(([name, one]) => Object.assign(new Node(name, one), { parent: this })) ?? null;
    this.prefix = this.kids?.length ?? 0;
    this.names = null;
    if (this.isContainer && this.size === 0) this.kids = [];
    if (!this.isContainer) this.open = false;
  }

  /** How long its stored text is, as far as a view tells it; a value from a patch does not. */
  measure({ bytes, characters = bytes }) {
    Object.assign(this, { bytes: bytes ?? 0, characters: characters ?? 0, isRough: bytes === undefined });
  }

  /** Whether a scalar is the same as that value. */
  equals(value) {
    return this.type === value.type && !this.isContainer && this.value === value[value.type] && !this.truncated;
  }
}

function parts_of(value) {
  return value.members ?? value.items?.map((item) => [undefined, item]);
}

/** All keys as one tree. `on` is told what changes: inserted(node), removed(node), changed(node). */
export class Tree {
  constructor(on) {
    this.on = on;
    this.order = undefined; // of the keys, see key_order.js
    this.unsure = new Set(); // objects of which single members do not know their places any more, only their order
    this.root = new Node(undefined, { type: "object", size: 0 });
    Object.assign(this.root, { isRoot: true, open: true });
  }

  /** The node at these tokens, as far as it is loaded. */
  find(tokens) {
    let node = this.root;
    for (const token of tokens) {
      node = node?.kid(token);
      if (!node) return undefined;
    }
    return node;
  }

  // What the server tells of a node

  /** Take a view of a node, or a value from a patch: a first page of its kids, with `more` one that goes on, with `start`
   *  one that begins at that place. `fresh` says that what is loaded may be wrong: what the view does not have is let
   *  go. */
  fill(node, view, { more = false, start = undefined, fresh = false } = {}) {
    if (view.type !== node.type || !node.isContainer) {
      if (!node.equals(view)) this.become(node, view);
      return;
    }
    const parts = parts_of(view);
    node.size = view.size ?? parts.length;
    node.measure(view);
    if (start !== undefined) this.pin(node, { part: from_place(start, parts) });
    else if (more) for (const [name, value] of parts) this.append(node, name, value);
    else if (parts && !fresh && view.next !== undefined && node.prefix >= parts.length)
      parts.forEach(([, value], index) => this.fill(node.kids[index], value));
    else if (parts) this.reconcile(node, parts, { fresh, isAll: fresh || view.next === undefined });
    this.settle(node);
  }

  /** Count to what is loaded without a gap whatever has come to stand there. */
  settle(node) {
    if (node.kids?.length === node.size) node.prefix = node.size;
    if (node.type === "array") while (node.kids?.[node.prefix]?.at === node.prefix) node.prefix += 1;
    this.on.changed(node);
  }

  become(node, value) {
    for (const kid of [...(node.kids ?? [])]) this.lose(kid, node);
    node.set(value);
    for (const kid of node.kids ?? []) this.on.inserted(kid);
    this.on.changed(node);
  }

  append(node, name, value) {
    const known = node.type === "object" ? node.named(name) : node.kid(node.prefix);
    if (known && node.kids.indexOf(known) < node.prefix) return;
    if (known) {
      this.detach(known, node);
      this.attach(known, node, node.prefix);
      this.fill(known, value);
    } else {
      this.attach(new Node(name, value), node, node.prefix);
    }
  }

  /** Make a node's kids what the server says they are, keeping those that are the same: by name, or by index. Where that
   *  is not all of them, those that stand alone behind it stay. */
  reconcile(node, parts, { fresh, isAll }) {
    node.kids ??= [];
    const wanted = parts.map(([name], index) => node.kid(name ?? index));
    const kept = new Set(isAll ? wanted : [...wanted, ...node.singles]);
    for (const kid of [...node.kids]) if (!kept.has(kid)) this.lose(kid, node);
    node.prefix = 0;
    parts.forEach(([name, value], index) => {
      const kid = wanted[index];
      if (!kid) return this.attach(new Node(name, value), node, index);
      if (node.kids[index] === kid) node.prefix = index + 1;
      else {
        this.detach(kid, node);
        this.attach(kid, node, index);
      }
      return this.fill(kid, value, { fresh });
    });
  }

  /** Take a narrowed view: only some members or items of each level, which stand alone until their page is loaded. */
  pin(node, view, seen = () => {}) {
    seen(node, view);
    if (!view.part) return;
    node.kids ??= [];
    for (const [token, value, place] of view.part) {
      const known = node.kid(token);
      const at = node.type === "array" ? Number(token) : (place ?? known?.at); // no place is told of what is passed
      if (at === undefined && !known) continue;
      const kid = known ?? this.single(new Node(node.type === "object" ? token : undefined, value), node, at);
      kid.at = at;
      this.pin(kid, value, seen);
    }
    this.sort(node);
    this.settle(node);
  }

  single(kid, parent, at) {
    kid.at = at;
    kid.parent = parent;
    parent.kids.push(kid);
    parent.names?.set(kid.name, kid);
    this.on.inserted(kid);
    return kid;
  }

  /** Those that stand alone stand in the order of their places. */
  sort(node) {
    const singles = node.singles.sort((one, other) => one.at - other.at);
    node.kids.splice(node.prefix, singles.length, ...singles);
  }

  attach(kid, parent, at) {
    kid.parent = parent;
    parent.kids.splice(at, 0, kid);
    if (at <= parent.prefix) parent.prefix += 1;
    parent.names?.set(kid.name, kid);
    this.on.inserted(kid);
  }

  detach(kid, parent) {
    const at = parent.kids.indexOf(kid);
    parent.kids.splice(at, 1);
    if (at < parent.prefix) parent.prefix -= 1;
    parent.names?.delete(kid.name);
    this.on.removed(kid);
  }

  /** Take a kid out for good. It remembers where it was, for those who are editing it. */
  lose(kid, parent) {
    kid.lost = kid.tokens;
    this.detach(kid, parent);
    kid.parent = null;
  }

  // What a revision did

  /** Apply the operations (RFC 6902, with "position") that a revision made on a key. Returns what they touched:
   *  [{node, did: "set" | "add" | "remove" | "move", was}], as far as it is loaded. */
  apply(key, ops) {
    return ops.flatMap((op) => this.step(op, [key, ...tokensOf(op.path)]) ?? []);
  }

  step(op, tokens) {
    switch (op.op) {
      case "add":
        return tokens.length === 1 && this.find(tokens)
          ? this.put(tokens, op.value)
          : this.insert(tokens, op.position, op.value);
      case "replace":
        return this.put(tokens, op.value);
      case "remove":
        return this.take(tokens);
      default:
        return this.move([tokens[0], ...tokensOf(op.from)], tokens, op.position);
    }
  }

  put(tokens, value) {
    const node = this.find(tokens);
    if (!node) return undefined;
    this.fill(node, value);
    return [{ node, did: "set" }];
  }

  insert(tokens, position, value, moved = undefined) {
    const parent = this.find(tokens.slice(0, -1));
    if (!parent) return undefined;
    const name = tokens.at(-1);
    const at = this.place(parent, name, position);
    const isNear = parent.kids && (at < parent.prefix || (at === parent.prefix && parent.isWhole));
    const isKnown = isNear || this.isBeside(parent, at) || (moved && parent.kids && parent !== this.root);
    this.shift(parent, name, at, 1);
    parent.size += 1;
    if (!isKnown || (!moved && value === undefined)) {
      this.settle(parent);
      return undefined;
    }
    const node = moved ?? new Node(undefined, value);
    node.name = parent.type === "object" ? name : undefined;
    if (isNear) this.attach(node, parent, at);
    else this.single(node, parent, at);
    this.sort(parent);
    this.on.changed(node);
    this.settle(parent);
    return [{ node, did: moved ? "move" : "add" }];
  }

  /** Whether a place is beside one that stands alone. */
  isBeside(parent, at) {
    return !this.unsure.has(parent) && parent.singles.some((kid) => kid.at === at - 1 || kid.at === at);
  }

  /** Where among all of them a new member or item goes; of keys, as far as they are loaded. */
  place(parent, name, position) {
    if (parent === this.root) return this.keyPlace(name);
    return parent.type === "array" ? Number(name) : (position ?? parent.size);
  }

  /** Count up, or down, what stands alone behind a place. */
  shift(parent, name, at, by) {
    for (const kid of parent.singles)
      if (parent === this.root ? compareKeys(kid.name, name, this.order) > 0 : kid.at >= at) kid.at += by;
  }

  /** The place of a new key, where those it comes between are loaded and stand side by side. */
  keyPlace(key) {
    const { kids, size } = this.root;
    const next = kids.findIndex(({ name }) => compareKeys(name, key, this.order) > 0);
    const before = next < 0 ? kids.at(-1) : kids[next - 1];
    const at = next < 0 ? size : kids[next].index;
    return (before?.index ?? -1) + 1 === at ? at : undefined;
  }

  take(tokens) {
    const parent = this.find(tokens.slice(0, -1));
    if (!parent) return undefined;
    const node = this.loosen(parent, tokens.at(-1));
    this.settle(parent);
    return node && [{ node, did: "remove", parent }];
  }

  /** Take a kid out of its parent, if it is loaded, and count it off. */
  loosen(parent, token) {
    const node = parent.kid(token);
    const at = node ? node.index : parent.type === "array" ? Number(token) : undefined;
    if (node) this.lose(node, parent);
    parent.size -= 1;
    this.shift(parent, token, at, -1);
    if (at === undefined && parent !== this.root && parent.singles.length) this.unsure.add(parent);
    return node;
  }

  /** A node that comes from where nothing is loaded is not known here: `unknown` asks the owner to read it. */
  move(from, tokens, position) {
    const source = this.find(from.slice(0, -1));
    const known = source?.kid(from.at(-1));
    const open = known?.open;
    const node = source && this.loosen(source, from.at(-1));
    if (source) this.settle(source);
    if (known) known.open = open;
    const done = this.insert(tokens, position, node ? undefined : { type: "null", unknown: true }, node);
    if (done && !node) done[0].unknown = true;
    return done;
  }
}

/** A page that begins at a place, as a narrowed view tells its part. */
function from_place(start, parts) {
  return parts.map(([name, value], at) => [name ?? start + at, value, start + at]);
}
