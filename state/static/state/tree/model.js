// The memory as far as it is loaded: nodes with an identity, not paths. A node stays the same object while others
// insert before it, rename it or move it; its path is computed when it is needed. Only what the server has confirmed
// is in here, in the order of its revisions: what is still being saved is drawn on top of it (see memory.js).

import { pointerOf, tokensOf } from "../../nola/lib/json.js";

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

  /** Where an item stands: `kids` begins with what is loaded without a gap; single ones behind it know their index. */
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

  /** Take a view of a node, or a value from a patch: a first page of its kids, or with `more` one that goes on.
   *  `fresh` says that what is loaded may be wrong: what the view does not have is let go. */
  fill(node, view, { more = false, fresh = false } = {}) {
    if (view.type !== node.type || !node.isContainer) {
      if (!node.equals(view)) this.become(node, view);
      return;
    }
    const parts = parts_of(view);
    node.size = view.size ?? parts.length;
    node.measure(view);
    if (more) for (const [name, value] of parts) this.append(node, name, value);
    else if (parts && !fresh && view.next !== undefined && node.prefix >= parts.length)
      parts.forEach(([, value], index) => this.fill(node.kids[index], value));
    else if (parts) this.reconcile(node, parts, fresh);
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

  /** Make a node's kids what the server says they are, keeping those that are the same: by name, or by index. */
  reconcile(node, parts, fresh) {
    const old = node.kids ?? [];
    const byName = new Map(old.map((kid) => [kid.name, kid]));
    const wanted = parts.map(([name], index) => (node.type === "object" ? byName.get(name) : old[index]));
    const kept = new Set(wanted);
    node.kids ??= [];
    for (const kid of [...old]) if (!kept.has(kid)) this.lose(kid, node);
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
  pin(node, view, seen) {
    seen(node, view);
    if (!view.part) return;
    node.kids ??= [];
    for (const [token, value] of view.part) {
      let kid = node.kid(token);
      if (!kid) {
        kid = new Node(node.type === "object" ? token : undefined, value);
        kid.parent = node;
        if (node.type === "array") kid.at = Number(token);
        const place = node.type === "object" ? node.kids.length : place_of(node, kid.at);
        node.kids.splice(place, 0, kid);
        node.names?.set(kid.name, kid);
        this.on.inserted(kid);
      }
      this.pin(kid, value, seen);
    }
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
    const place = this.room(parent, tokens.at(-1), position);
    parent.size += 1;
    if (place === undefined || (!moved && value === undefined)) {
      this.on.changed(parent);
      return undefined;
    }
    const node = moved ?? new Node(undefined, value);
    node.name = parent.type === "object" ? tokens.at(-1) : undefined;
    this.attach(node, parent, place);
    this.on.changed(node);
    this.on.changed(parent);
    return [{ node, did: moved ? "move" : "add" }];
  }

  /** Where in `kids` a new member or item goes; undefined where that part is not loaded. Counts up what stands behind. */
  room(parent, token, position) {
    const whole = parent.isWhole;
    let at = parent === this.root ? key_place(parent, token) : parent.type === "array" ? Number(token) : position;
    if (parent.type === "array")
      for (const kid of parent.kids?.slice(parent.prefix) ?? []) if (kid.at >= at) kid.at += 1;
    at ??= whole ? parent.prefix : Infinity;
    if (!parent.kids || at > parent.prefix || (at === parent.prefix && !whole)) return undefined;
    return at;
  }

  take(tokens) {
    const parent = this.find(tokens.slice(0, -1));
    if (!parent) return undefined;
    const node = this.loosen(parent, tokens.at(-1));
    this.on.changed(parent);
    return node && [{ node, did: "remove", parent }];
  }

  /** Take a kid out of its parent, if it is loaded, and count it off. */
  loosen(parent, token) {
    const node = parent.kid(token);
    const index = Number(token);
    if (node) this.lose(node, parent);
    parent.size -= 1;
    if (parent.type === "array")
      for (const kid of parent.kids?.slice(parent.prefix) ?? []) if (kid.at > index) kid.at -= 1;
    return node;
  }

  /** A node that comes from where nothing is loaded is not known here: `unknown` asks the owner to read it. */
  move(from, tokens, position) {
    const source = this.find(from.slice(0, -1));
    const known = source?.kid(from.at(-1));
    const open = known?.open;
    const node = source && this.loosen(source, from.at(-1));
    if (source) this.on.changed(source);
    if (known) known.open = open;
    const done = this.insert(tokens, position, node ? undefined : { type: "null", unknown: true }, node);
    if (done && !node) done[0].unknown = true;
    return done;
  }
}

function place_of(node, index) {
  const at = node.kids.findIndex((kid, place) => place >= node.prefix && kid.at > index);
  return at < 0 ? node.kids.length : at;
}

/** Keys stand in the order of their bytes. */
function key_place(root, key) {
  const kids = root.kids ?? [];
  const at = kids.slice(0, root.prefix).findIndex((kid) => compare(kid.name, key) > 0);
  return at < 0 ? root.prefix : at;
}

/** Order of UTF-8 bytes, which for half surrogates is not that of UTF-16. */
export function compare(one, other) {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) {
    const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)];
    if (a !== b) return rank(a) - rank(b);
  }
  return one.length - other.length;
}

function rank(unit) {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
