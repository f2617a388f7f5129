// What one can do with a node. Every edit is shown at once, sent as a small write for the revision that is on screen,
// and taken back in sight if it is refused.

import * as api from "./api.js";
import * as conflicts from "./conflicts.js";
import { announce, h, icon } from "./dom.js";
import { Editor, Unfit, entry, jsonValue, typedValue } from "./edit.js";
import { guess, parse, pointerOf, write } from "./json.js";
import { Gone } from "./memory.js";
import { short } from "./view.js";

const inside = (tokens) => pointerOf(tokens.slice(1)); // a pointer within the key

export class Actions {
  constructor(tree, memory, view, mine, activity) {
    Object.assign(this, { tree, memory, view, mine, activity, session: null });
  }

  // Edits

  /** Edit a value in its row; objects and lists as JSON below it. */
  async edit(node, { text, type, pick = false } = {}) {
    if (node.isContainer) return this.editJSON(node);
    const known = text ?? (node.truncated ? parse((await this.memory.stored(node)).text).text : String(node.value ?? "null"));
    const editor = this.open(node, {
      host: node.el.firstChild,
      text: known,
      type: type ?? node.type,
      label: `Value of ${node.label}`,
      read: typedValue,
      save: (value, typed) => this.setValue(node, value, typed),
    });
    editor.about = "value";
    if (text !== undefined) editor.initial = { text: undefined, type: undefined };
    if (pick) editor.picker.focus();
    return editor;
  }

  async editJSON(node) {
    const stored = await this.memory.stored(node);
    const base = this.memory.revision;
    return this.openJSON(node, stored, base, write(parse(stored.text), "  "));
  }

  openJSON(node, stored, base, text) {
    const editor = this.open(node, {
      host: node.el.firstChild.nextSibling ? this.below(node) : node.el,
      text,
      block: true,
      label: `${node.label} as JSON`,
      read: jsonValue,
      save: (value, typed) => this.saveJSON(node, stored, base, value, typed),
    });
    editor.about = "json";
    return editor;
  }

  /** A place right below the row of a node. */
  below(node) {
    const place = h("div.tree-below");
    node.el.firstChild.after(place);
    return place;
  }

  rename(node, text = node.name) {
    if (node.parent?.type !== "object") return undefined;
    const editor = this.open(node, {
      host: node.el.firstChild,
      text,
      label: `New name of ${node.name}`,
      read: (name) => name,
      save: (name) => this.setName(node, name),
    });
    editor.element.classList.add("tree-naming");
    node.el.classList.add("tree-renaming");
    editor.about = "name";
    return editor;
  }

  /** Add into a container, or beside a value: by typing. */
  async add(node, { before = null, text = "" } = {}) {
    const parent = node.isContainer && !before ? node : node.parent;
    const next = before ?? (parent === node ? null : parent.kids[parent.kids.indexOf(node) + 1] ?? null);
    if (!parent.isRoot && !parent.open) await this.expand(parent);
    const isList = parent.type === "array";
    const ghost = h("li.tree-node.tree-ghost", { role: "treeitem", "aria-label": "New" }, h("div.tree-row", {}, h("span.tree-twist")));
    this.view.groupOf(parent).insertBefore(ghost, next?.el ?? (parent.isWhole ? null : parent.more));
    const editor = this.open(node, {
      host: ghost.firstChild,
      text,
      room: 28,
      placeholder: isList ? "value" : parent.isRoot ? "key: value" : "name: value",
      label: isList ? "New item" : parent.isRoot ? "New key and its value" : "New member: name, colon, value",
      read: isList ? guess : entry,
      preview: (meaning) => preview(isList ? { names: [], value: meaning } : meaning),
      save: (meaning, typed) => this.addValue(parent, next, ghost, isList ? { names: [], value: meaning } : meaning, typed),
      cancelled: () => ghost.remove(),
    });
    Object.assign(editor, { about: "add", parent, ghost });
    return editor;
  }

  open(node, options) {
    this.session?.submit(false);
    if (this.session) return this.session; // it holds what cannot be saved yet
    this.view.focus(node, { take: false, scroll: false });
    const row = options.host;
    const holder = row.closest(".tree-node");
    const editor = new Editor({
      ...options,
      node,
      closed: (refocus) => {
        this.session = null;
        holder.classList.remove("tree-editing", "tree-renaming");
        if (row.classList.contains("tree-below")) row.remove();
        this.view.letGo();
        if (refocus) this.view.focus(this.view.current ?? node);
      },
    });
    holder.classList.add("tree-editing");
    this.session = editor;
    return editor.open(options.select ?? true);
  }

  // Writes

  /** Do a write that is shown already: `undone()` takes that back when it is answered, `refused(error)` says so. */
  async commit(label, send, undone, refused) {
    try {
      const revision = await send();
      if (revision) this.mine.did(revision, label);
      return revision;
    } catch (error) {
      if (!(error instanceof api.Problem || error instanceof Gone)) throw error;
      this.view.batch(undone);
      refused(error);
      announce(`Not saved: ${error.message}`);
      return undefined;
    } finally {
      this.view.batch(undone);
    }
  }

  async setValue(node, value, typed) {
    if (node.equals(value)) return;
    this.pend(node, { pending: value });
    await this.commit(`change of ${node.label}`, () => this.memory.set(node, value), () => this.pend(node, { pending: null }),
      (error) => this.refusedValue(node, value, typed, error));
  }

  async refusedValue(node, value, typed, error) {
    const again = () => this.edit(node, { text: typed, type: value.type });
    if (!node.isAttached) return this.lost(node, value);
    if (!error.conflicts?.length) return this.refuse(node, error, again);
    this.conflict(await again(), node, { who: this.activity.who(error.conflicts[0].by), theirs: error.conflicts[0].theirs, mine: () => value });
    return undefined;
  }

  /** A value that was saved just when somebody removed its place. */
  lost(node, value) {
    const parent = this.tree.find(node.tokens.slice(0, -1)) ?? this.tree.root;
    this.view.note(parent.el ? parent : this.view.current, `“${node.tokens.at(-1)}” was removed by somebody before it was saved.`, [
      ["Put it back with mine", () => this.putBack(node.tokens, value)]]);
  }

  putBack(tokens, value) {
    const parent = this.tree.find(tokens.slice(0, -1));
    const isList = parent?.type === "array";
    const index = isList ? Math.min(Number(tokens.at(-1)), parent.size) : undefined;
    const send = isList
      ? () => this.memory.patch(parent, () => [{ op: "add", path: inside([...parent.tokens, index]), value: write(value) }])
      : () => this.memory.write((base) => api.put(tokens, write(value), base));
    return this.commit(`bringing back ${tokens.at(-1)}`, send, () => {}, (error) => this.refuse(parent ?? this.view.current, error))
      .then((revision) => this.goTo(revision));
  }

  async setName(node, name) {
    const { parent } = node;
    if (name === node.name) return;
    this.pend(node, { pendingName: name });
    const undone = () => this.pend(node, { pendingName: null });
    const refused = (error) => this.refuse(node, error, () => this.rename(node, name));
    const send = async () => {
      if (await this.memory.has([...parent.tokens, name])) throw new Gone(`there is “${name}” already`);
      if (node.isKey) return this.renameKey(node, name);
      while (node.index === undefined) await this.memory.load(parent, 1000); // to keep its place, it must be known
      return this.memory.patch(node, () => [{ op: "move", from: inside(node.tokens), path: inside([...parent.tokens, name]), position: node.index }]);
    };
    const was = this.view.current;
    const revision = await this.commit(`rename of ${node.name}`, send, undone, refused);
    this.goTo(revision, was);
  }

  async renameKey(node, name) {
    const { text, etag } = await this.memory.stored(node);
    const [from, to] = [JSON.stringify(node.pointer), JSON.stringify(pointerOf([name]))];
    return this.memory.write(() => api.transaction([
      `{"op":"match","pointer":${from},"etag":${JSON.stringify(etag)}}`, `{"op":"absent","pointer":${to}}`,
      `{"op":"put","pointer":${to},"value":${text}}`, `{"op":"delete","pointer":${from}}`]));
  }

  async addValue(parent, next, ghost, { names, value }, typed) {
    const label = names.join(".") || "item";
    ghost.firstChild.append(h("span.tree-name", {}, names.join(" › ")), h(`span.tree-value.tree-${value.type}`, {}, short(write(value))));
    ghost.classList.add("tree-saving");
    const tokens = [...parent.tokens, ...names];
    const send = async () => {
      if (names.length && (await this.memory.has(tokens))) throw new Gone(`there is “${label}” already`);
      const at = next?.isAttached && next.parent === parent ? next.index : undefined;
      if (parent.type === "array") return this.memory.patch(parent, () => [{ op: "add", path: inside([...parent.tokens, next?.isAttached ? next.index : parent.size]), value: write(value) }]);
      if (names.length > 1 || parent.isRoot || at === undefined) return this.memory.write((base) => api.put(tokens, write(value), base));
      return this.memory.patch(parent, () => [{ op: "add", path: inside(tokens), value: write(value), position: next.isAttached ? next.index : undefined }]);
    };
    const refused = async (error) => {
      const editor = await this.add(parent, { before: next?.isAttached ? next : null, text: typed });
      editor.fail(sentence(error.message));
    };
    const was = this.view.current;
    const revision = await this.commit(`adding ${label}`, send, () => ghost.remove(), refused);
    if (revision && !this.session && this.view.current === was) await this.reveal((names.length ? undefined : this.tokensAdded(revision)) ?? tokens);
  }

  async saveJSON(node, stored, base, value, typed) {
    const text = write(value);
    if (text === stored.text) return;
    this.pend(node, { pending: value });
    const refused = async (error) => {
      const editor = this.openJSON(node, stored, base, typed);
      editor.initial = { text: undefined };
      if (!error.conflicts?.length) return editor.fail(sentence(error.message));
      const places = error.conflicts.map(({ pointer, theirs, yours }) => ({ pointer: pointer || "(all of it)", theirs, yours }));
      return this.conflict(editor, node, { who: this.activity.who(error.conflicts[0].by), places, mine: () => value });
    };
    await this.commit(`change of ${node.label}`, () => this.memory.write(() => api.put(stored.tokens, text, base)), () => this.pend(node, { pending: null }), refused);
  }

  async remove(node) {
    if (!node || node.isRoot) return;
    const heir = this.view.neighbour(node.el);
    node.el.classList.add("tree-leaving");
    if (heir) this.view.focus(heir);
    const shown = () => node.el?.classList.remove("tree-leaving");
    const send = () => this.memory.write((base) => {
      if (!node.isAttached) throw new Gone("it is not there any more");
      return api.remove(node.tokens, base);
    });
    const revision = await this.commit(`deletion of ${node.label}`, send, shown, (error) => {
      if (node.isAttached) this.refuse(node, error);
      this.view.focus(node);
    });
    if (revision) this.mine.offer(`Deleted “${short(String(node.label ?? node.tokens.at(-1)))}”`);
  }

  async duplicate(node) {
    const { parent } = node;
    if (!parent) return;
    const name = parent.type === "array" ? undefined : await this.freeName(parent, node.name);
    const send = async () => {
      if (node.isKey) {
        const { text } = await this.memory.stored(node);
        return this.memory.write((base) => api.put([name], text, base));
      }
      return this.memory.patch(node, () => {
        const at = node.index === undefined ? undefined : node.index + 1;
        return [{ op: "copy", from: inside(node.tokens), path: inside([...parent.tokens, name ?? at]), position: name && at }];
      });
    };
    const was = this.view.current;
    const revision = await this.commit(`copy of ${node.label}`, send, () => {}, (error) => this.refuse(node, error));
    this.goTo(revision, was);
  }

  async freeName(parent, name) {
    for (let number = 1; ; number += 1) {
      const free = number === 1 ? `${name} copy` : `${name} copy ${number}`;
      if (!(await this.memory.has([...parent.tokens, free]))) return free;
    }
  }

  /** Move a node into a parent, before one of its kids or (null) to its end. */
  async move(node, parent, next = null) {
    if (!node || node.isRoot || parent.within(node) || next === node) return;
    if (parent.isRoot && node.isKey) return this.refuse(node, new Gone("keys stand in the order of their names"));
    node.el?.classList.add("tree-saving");
    const was = this.view.current;
    const send = async () => {
      const name = parent.type === "object" && parent !== node.parent ? node.name ?? (await this.freeName(parent, "item")) : node.name;
      if (parent.type === "object" && parent !== node.parent && (await this.memory.has([...parent.tokens, name]))) throw new Gone(`there is “${name}” already`);
      if (node.isKey || parent.isRoot || parent.tokens[0] !== node.tokens[0]) return this.moveAcross(node, parent, next, name);
      return this.memory.patch(node, () => [move_op(node, parent, next, name)]);
    };
    const revision = await this.commit(`move of ${node.label}`, send, () => node.el?.classList.remove("tree-saving"), (error) => this.refuse(node, error));
    if (revision && !parent.open && !parent.isRoot) await this.expand(parent);
    this.goTo(revision, was);
  }

  /** From one key into another, or to a key of its own: both changes or none. */
  async moveAcross(node, parent, next, name) {
    const { text, etag } = await this.memory.stored(node);
    return this.memory.write(() => {
      const from = JSON.stringify(node.pointer);
      const label = parent.type === "array" ? next?.index ?? parent.size : name;
      const to = [...parent.tokens, label];
      const add = parent.isRoot
        ? [`{"op":"absent","pointer":${JSON.stringify(pointerOf(to))}}`, `{"op":"put","pointer":${JSON.stringify(pointerOf(to))},"value":${text}}`]
        : [`{"op":"patch","pointer":${JSON.stringify(pointerOf(to.slice(0, 1)))},"patch":${api.ops_text([{ op: "add", path: inside(to), value: text, position: parent.type === "object" ? next?.index : undefined }])}}`];
      return api.transaction([`{"op":"match","pointer":${from},"etag":${JSON.stringify(etag)}}`, ...add, `{"op":"delete","pointer":${from}}`]);
    });
  }

  /** One step up or down among its siblings. */
  nudge(node, by) {
    const { kids, prefix } = node.parent ?? {};
    const at = kids?.indexOf(node);
    if (!kids || at >= prefix || at + by < 0 || at + by >= node.parent.size) return undefined;
    return this.move(node, node.parent, by < 0 ? kids[at - 1] : kids[at + 2] ?? null);
  }

  /** Out of its parent, to right behind it. */
  outdent(node) {
    const { parent } = node;
    if (!parent || parent.isRoot || parent.parent.isRoot) return undefined;
    return this.move(node, parent.parent, parent.parent.kids[parent.parent.kids.indexOf(parent) + 1] ?? null);
  }

  /** Into the object or list above it. */
  indent(node) {
    const above = node.parent?.kids[node.parent.kids.indexOf(node) - 1];
    return above?.isContainer ? this.move(node, above) : undefined;
  }

  toggle(node) {
    return this.setValue(node, { type: "boolean", boolean: !node.value }, String(!node.value));
  }

  // What is shown of it

  pend(node, what) {
    Object.assign(node, what);
    if (node.el) this.view.changed(node);
  }

  refuse(node, error, again) {
    this.view.note(node?.el ? node : this.view.current ?? this.tree.root.kids[0], `Not saved: ${error.message}`, again ? [["Edit again", again]] : []);
  }

  tokensAdded(revision) {
    return this.memory.touched.get(revision)?.find(({ node }) => node.isAttached)?.node.tokens;
  }

  /** Focus what a revision of mine made, unless its owner has gone on to something else since `was` had the focus. */
  goTo(revision, was = this.view.current) {
    const node = this.memory.touched.get(revision)?.find((one) => one.node.isAttached && one.did !== "remove")?.node;
    if (node?.el && !this.session && this.view.current === was) this.view.focus(node);
  }

  async expand(node) {
    if (node.isContainer && !node.kids?.length && node.size) await this.memory.load(node);
    this.view.setOpen(node, true);
  }

  /** Open the way to a place, loading what is missing, and focus it. Returns whether it is there. */
  async reveal(tokens, { take = true } = {}) {
    let node = this.tree.root;
    for (const token of tokens) {
      if (!node.isRoot) await this.expand(node);
      if (!node.kid(token)) await this.memory.single(node, token).catch((error) => {
        if (!(error instanceof api.Problem)) throw error;
      });
      const next = node.kid(token);
      if (!next) break;
      node = next;
    }
    if (!node.isRoot) this.view.focus(node, { take });
    return node.tokens.length === tokens.length;
  }

  // Others

  /** Look whether a change by somebody else has touched what I am editing. */
  met(event, touched) {
    const editor = this.session;
    if (!editor || editor.conflict) return;
    const who = this.activity.who(event.revision);
    const { node } = editor.about === "add" ? { node: editor.parent } : editor;
    if (!node.isAttached) this.metRemoved(editor, node, who);
    else if (editor.about === "value" && touched.some((one) => one.node === node && one.did === "set")) {
      this.conflict(editor, node, { who, theirs: node.isContainer ? conflicts.valueOf(node) : { type: node.type, [node.type]: node.value } });
    } else if (editor.about === "name" && touched.some((one) => one.node === node && one.did === "move") && node.name !== editor.initial.text) {
      this.conflict(editor, node, { who, theirs: { type: "text", text: node.name } });
    } else if (editor.about === "json" && touched.some((one) => one.node.within(node))) {
      editor.hint.replaceChildren(h("span.tree-merge", {}, icon("merge"), `${who} changed something in here meanwhile; saving keeps both.`));
    }
  }

  metRemoved(editor, node, who) {
    const now = this.tree.find(node.tokens);
    const theirs = now && (now.isContainer ? conflicts.valueOf(now) : { type: now.type, [now.type]: now.value });
    if (editor.about === "add" && now) editor.parent = now;
    else this.conflict(editor, now ?? node, { who, theirs });
  }

  /** Show both sides in the editor, and do what is chosen. */
  conflict(editor, node, { who, theirs, places, mine }) {
    const meant = mine ?? (() => editor.read(editor.input.value, editor.picker?.value));
    announce(`${who} changed what you are editing. Choose mine or theirs.`);
    conflicts.show(editor, {
      who,
      theirs,
      places,
      take: () => editor.close(),
      again: places && (() => (editor.conflict.remove(), (editor.conflict = null), editor.input.focus())),
      keep: () => this.keepMine(editor, node, meant),
    });
  }

  keepMine(editor, node, meant) {
    try {
      const value = meant();
      const typed = editor.input.value;
      editor.end(true);
      if (editor.about === "add") return this.putBack([...node.tokens, ...value.names], value.value);
      if (!node.isAttached) return this.putBack(node.tokens, value);
      if (editor.about === "name") return this.setName(node, value);
      if (editor.about === "json") return this.setWhole(node, value);
      return this.setValue(node, value, typed);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      return editor.fail(error.message, error.index);
    }
  }

  setWhole(node, value) {
    this.pend(node, { pending: value });
    return this.commit(`change of ${node.label}`, () => this.memory.set(node, value), () => this.pend(node, { pending: null }), (error) => this.refuse(node, error));
  }
}

/** RFC 6902: the target of a move is read after the source is taken out. */
function move_op(node, parent, next, name) {
  const isSame = parent === node.parent;
  const shift = (one) => (one.parent === node.parent && node.parent.type === "array" && one.index > node.index ? one.index - 1 : one.label);
  const way = [];
  for (let one = parent; !one.isRoot; one = one.parent) way.unshift(shift(one));
  let at = next ? next.index : parent.size;
  if (isSame && node.index < at) at -= 1;
  const isList = parent.type === "array";
  return { op: "move", from: inside(node.tokens), path: inside([...way, isList ? at : name]), position: isList || (!next && !isSame) ? undefined : at };
}

function preview({ names, value }) {
  const kind = { text: "text", number: "number", boolean: "yes or no", null: "nothing", object: "object", array: "list" }[value.type];
  return h("span.tree-preview", {}, ...(names.length ? [`${names.join(" › ")} = `] : []), h(`span.tree-value.tree-${value.type}`, {}, value.type === "text" ? short(value.text) : short(write(value))), ` · ${kind}`);
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
