// What one can do with a node. Every edit is shown at once, sent as a small write for the revision that is on screen,
// and taken back in sight if it is refused.

import { Problem } from "../../nola/lib/api.js";
import * as conflicts from "./conflicts.js";
import { announce, h, sentence } from "../../nola/lib/dom.js";
import { Editor, entry, jsonValue, typedValue } from "./edit.js";
import { guess, parse, write } from "../../nola/lib/json.js";
import { Gone } from "./memory.js";
import { Opening } from "./opening.js";
import { short } from "./told.js";
import * as writes from "./writes.js";

const KINDS = {
  text: "text",
  number: "number",
  boolean: "yes or no",
  null: "nothing",
  object: "object",
  array: "list",
};

export class Actions {
  constructor(tree, memory, view, mine, activity) {
    Object.assign(this, { tree, memory, view, mine, activity, session: null, opening: new Opening(view.list) });
  }

  // Editors

  /** Edit a value in its row; objects and lists as JSON below it. `typed` is what was refused before. */
  async edit(node, { typed, type, pick = false } = {}) {
    if (node.isContainer) return this.editJSON(node);
    const text = typed ?? (node.truncated ? await this.wholeText(node) : String(node.value ?? "null"));
    if (text === undefined) return undefined;
    const editor = this.open(node, node.el.firstChild, {
      about: "value",
      text,
      type: type ?? node.type,
      always: typed !== undefined,
      label: `Value of ${node.label}`,
      read: typedValue,
      save: (value, now) => this.setValue(node, value, now),
    });
    if (pick) editor?.picker.focus();
    return editor;
  }

  async wholeText(node) {
    const stored = await this.opening.read(node, () => this.memory.stored(node));
    return stored && parse(stored.text).text;
  }

  async editJSON(node) {
    const stored = await this.opening.read(node, () => this.memory.stored(node));
    return stored && this.openJSON(node, stored, write(parse(stored.text), "  "));
  }

  /** Edit all of a value as text, for the revision in which it was read. */
  openJSON(node, stored, text, always = false) {
    const place = h("div.tree-below");
    node.el.firstChild.after(place);
    const editor = this.open(node, place, {
      about: "json",
      stored,
      text,
      always,
      block: true,
      keeps: true,
      label: `${node.label} as JSON`,
      read: jsonValue,
      save: (value, typed) => this.saveJSON(node, stored, value, typed),
    });
    if (!editor) place.remove();
    return editor;
  }

  rename(node, text = node.name) {
    if (node.parent?.type !== "object") return undefined;
    const editor = this.open(node, node.el.firstChild, {
      about: "name",
      text,
      always: text !== node.name,
      label: `New name of ${node.name}`,
      read: (name) => name,
      save: (name) => this.setName(node, name),
    });
    if (editor) node.el.classList.add("tree-renaming");
    return editor;
  }

  /** Add into a container by typing, before one of its kids or (null) at its end. */
  async add(parent, { before = null, text = "" } = {}) {
    const isOpen = parent.isRoot || parent.open;
    if (!isOpen && !(await this.opening.read(parent, () => this.expand(parent)))) return undefined;
    const isList = parent.type === "array";
    const group = this.view.groupOf(parent) ?? this.view.addGroup(parent);
    const end = group.lastElementChild?.matches(".tree-more") ? group.lastElementChild : null;
    const ghost = h(
      "li.tree-node.tree-ghost",
      { role: "treeitem", "aria-label": "New" },
      h("div.tree-row", {}, h("span.tree-twist")),
    );
    group.insertBefore(ghost, parent.isRoot ? group.firstChild : (before?.el ?? end));
    const wrap = (value) => ({ names: [], value });
    const editor = this.open(parent.isRoot ? (this.view.current ?? parent) : parent, ghost.firstChild, {
      about: "add",
      parent,
      text,
      room: 28,
      placeholder: isList ? "value" : parent.isRoot ? "key: value" : "name: value",
      label: isList ? "New item" : parent.isRoot ? "New key and its value" : "New member: name, colon, value",
      read: isList ? (typed) => wrap(guess(typed)) : entry,
      preview,
      save: (meaning, typed) => this.addValue(editor.parent, before, ghost, meaning, typed),
      cancelled: () => ghost.remove(),
    });
    if (!editor) ghost.remove();
    return editor;
  }

  /** Open an editor. One that is open is saved first; if it cannot be, it stays, and nothing is returned. */
  open(node, host, options) {
    this.session?.submit(false);
    if (this.session) return void this.session.input.focus();
    if (!node.isRoot) this.view.focus(node, { take: false, scroll: false });
    const holder = host.closest(".tree-node");
    holder.classList.add("tree-editing");
    this.session = new Editor({
      ...options,
      node,
      host,
      closed: (refocus) => {
        this.session = null;
        holder.classList.remove("tree-editing", "tree-renaming");
        if (host.classList.contains("tree-below")) host.remove();
        this.view.letGo();
        if (refocus) this.view.focus(this.view.current ?? node);
      },
    });
    return this.session.open();
  }

  // Writes

  /** Do a write that is shown already: `undone()` takes that back when it is answered, `refused(error)` says so. */
  async commit(label, send, undone, refused) {
    const was = this.view.current;
    try {
      const revision = await send();
      if (revision) this.mine.did(revision, label);
      return { revision, stays: !this.session && this.view.current === was };
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Gone)) throw error;
      if (error.conflicts?.length) await this.memory.reach(error.conflicts[0].by ?? 0);
      this.view.batch(undone);
      announce(`Not saved: ${error.message}`);
      refused(error);
      return {};
    } finally {
      this.view.batch(undone);
    }
  }

  /** Draw something of a node that is not saved yet. */
  pend(node, what) {
    Object.assign(node, what);
    if (node.el) this.view.changed(node);
  }

  setValue(node, value, typed) {
    if (node.equals(value)) return undefined;
    this.pend(node, { pending: value });
    return this.commit(
      `change of ${node.label}`,
      () => this.memory.set(node, value),
      () => this.pend(node, { pending: null }),
      (error) => this.refusedValue(node, value, typed, error),
    );
  }

  async refusedValue(node, value, typed, error) {
    if (!node.isAttached) return this.lost(node, value);
    if (!error.conflicts?.length) return this.refuse(node, error, () => this.edit(node, { typed, type: value.type }));
    const editor = await this.edit(node, { typed, type: value.type });
    const [{ by, theirs }] = error.conflicts;
    return editor && conflicts.ask(this, editor, node, { who: this.activity.who(by), theirs });
  }

  /** A value that was saved just when somebody removed its place. */
  lost(node, value) {
    const parent = this.tree.find(node.tokens.slice(0, -1));
    this.view.note(
      parent?.el ? parent : this.view.current,
      `“${node.tokens.at(-1)}” was removed by somebody before it was saved.`,
      [["Put it back with mine", () => this.putBack(node.tokens, value)]],
    );
  }

  async putBack(tokens, value) {
    const parent = this.tree.find(tokens.slice(0, -1)) ?? this.view.current;
    const done = await this.commit(
      `bringing back ${tokens.at(-1)}`,
      () => writes.put_back(this.memory, tokens, value),
      () => {},
      (error) => this.refuse(parent, error),
    );
    this.goTo(done);
  }

  async setName(node, name) {
    if (name === node.name) return;
    this.pend(node, { pendingName: name });
    const undone = () => this.pend(node, { pendingName: null });
    this.goTo(
      await this.commit(
        `rename of ${node.name}`,
        () => writes.rename(this.memory, node, name),
        undone,
        (error) => this.refuse(node, error, () => this.rename(node, name)),
      ),
    );
  }

  async addValue(parent, next, ghost, { names, value }, typed) {
    const label = names.join(".") || "item";
    ghost.firstChild.append(
      h("span.tree-name", {}, names.join(" › ")),
      h(`span.tree-value.tree-${value.type}`, {}, short(write(value))),
    );
    ghost.classList.add("tree-saving");
    const refused = async (error) => {
      const editor = await this.add(parent, { before: next?.isAttached ? next : null, text: typed });
      editor?.fail(sentence(error.message));
    };
    const { revision, stays } = await this.commit(
      `adding ${label}`,
      () => writes.add(this.memory, parent, next, names, value),
      () => ghost.remove(),
      refused,
    );
    if (revision && stays)
      await (names.length ? this.reveal([...parent.tokens, ...names]) : this.goTo({ revision, stays }));
  }

  async saveJSON(node, stored, value, typed) {
    const text = write(value);
    if (text === stored.text) return;
    this.pend(node, { pending: value });
    const refused = (error) => {
      const editor = this.openJSON(node, stored, typed, true);
      if (!editor) return;
      if (!error.conflicts?.length) editor.fail(sentence(error.message));
      else
        conflicts.ask(this, editor, node, { who: this.activity.who(error.conflicts[0].by), places: error.conflicts });
    };
    await this.commit(
      `change of ${node.label}`,
      () => this.memory.replace(stored, text),
      () => this.pend(node, { pending: null }),
      refused,
    );
  }

  setWhole(node, value) {
    this.pend(node, { pending: value });
    return this.commit(
      `change of ${node.label}`,
      () => this.memory.set(node, value),
      () => this.pend(node, { pending: null }),
      (error) => this.refuse(node, error),
    );
  }

  async remove(node) {
    const label = short(node.label);
    const heir = this.view.neighbour(node.el);
    node.el.classList.add("tree-leaving");
    if (heir) this.view.focus(heir);
    const refused = (error) => {
      if (node.isAttached) this.refuse(node, error);
      this.view.focus(node);
    };
    const { revision } = await this.commit(
      `deletion of ${label}`,
      () => writes.remove(this.memory, node),
      () => node.el?.classList.remove("tree-leaving"),
      refused,
    );
    if (revision) this.mine.offer(`Deleted “${label}”`);
  }

  async duplicate(node) {
    this.goTo(
      await this.commit(
        `copy of ${node.label}`,
        () => writes.duplicate(this.memory, node),
        () => {},
        (error) => this.refuse(node, error),
      ),
    );
  }

  /** Move a node into a parent, before one of its kids or (null) to its end. */
  async move(node, parent, next = null) {
    if (node.isRoot || parent.within(node) || next === node) return;
    if (parent.isRoot && node.isKey) return void this.refuse(node, new Gone("keys stand in the order of their names"));
    this.pend(node, { moving: true });
    const done = await this.commit(
      `move of ${node.label}`,
      () => writes.move(this.memory, node, parent, next),
      () => this.pend(node, { moving: false }),
      (error) => this.refuse(node, error),
    );
    if (done.revision && done.stays && !parent.isRoot) await this.expand(parent);
    this.goTo(done);
  }

  /** One step up or down among its siblings. */
  nudge(node, by) {
    const { kids, prefix } = node.parent;
    const at = kids.indexOf(node);
    if (at >= prefix || at + by < 0 || at + by >= prefix) return undefined;
    return this.move(node, node.parent, by < 0 ? kids[at - 1] : (kids[at + 2] ?? null));
  }

  /** Out of its parent, to right behind it. */
  outdent(node) {
    const { parent } = node;
    if (parent.isRoot || parent.isKey) return undefined;
    return this.move(node, parent.parent, parent.parent.kids[parent.parent.kids.indexOf(parent) + 1] ?? null);
  }

  /** Into the object or list above it. */
  indent(node) {
    const above = node.parent.kids[node.parent.kids.indexOf(node) - 1];
    return above?.isContainer ? this.move(node, above) : undefined;
  }

  toggle(node) {
    return this.setValue(node, { type: "boolean", boolean: !node.value }, String(!node.value));
  }

  refuse(node, error, again) {
    this.view.note(
      node?.el ? node : this.view.current,
      `Not saved: ${error.message}`,
      again ? [["Edit again", again]] : [],
    );
  }

  // The way about

  /** Focus what a write of mine made, unless its owner has gone on to something else meanwhile. */
  goTo({ revision, stays = true }) {
    const node = this.memory.touched.get(revision)?.find((one) => one.node.isAttached && one.did !== "remove")?.node;
    if (node?.el && stays && !this.session) this.view.focus(node);
  }

  async expand(node) {
    if (node.isContainer && !node.kids?.length && node.size) await this.memory.load(node);
    this.view.setOpen(node, true);
    return node;
  }

  /** Open the way to a place, loading what is missing, and focus it, or as near to it as there is something. */
  async reveal(tokens) {
    let node = this.tree.root;
    for (const token of tokens) {
      if (!node.isRoot) await this.expand(node);
      if (!node.kid(token) && !node.isWhole && node.isContainer)
        await Promise.resolve(this.memory.single(node, token)).catch(only_missing);
      if (!node.kid(token)) break;
      node = node.kid(token);
    }
    if (!node.isRoot) this.view.focus(node);
    return node.tokens.length === tokens.length;
  }
}

function only_missing(error) {
  if (!(error instanceof Problem)) throw error;
}

function preview({ names, value }) {
  const shown = short(value.type === "text" ? value.text : write(value));
  return h(
    "span.tree-preview",
    {},
    ...(names.length ? [`${names.join(" › ")} = `] : []),
    h(`span.tree-value.tree-${value.type}`, {}, shown),
    ` · ${KINDS[value.type]}`,
  );
}
