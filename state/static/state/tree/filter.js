// Show only what has a word in its name or its value, and the way to it. The server looks, so all of the memory counts.

import { announce, count } from "../../nola/lib/dom.js";
import { findFolded, fold } from "../../nola/lib/fold.js";

const REST = 200; // milliseconds without a key before it looks
const AGAIN = 500; // milliseconds after a change before it looks again

export class Filter {
  constructor(input, said, tree, memory, view) {
    Object.assign(this, { input, said, tree, memory, view, words: "", marked: new Set() });
    input.addEventListener("input", () => this.later(REST));
    this.marks = globalThis.Highlight && new Highlight();
    if (this.marks) CSS.highlights.set("tree-found", this.marks);
  }

  get isOn() {
    return this.words !== "";
  }

  later(rest) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), rest);
  }

  /** The memory has changed: look again, in a moment. */
  changed() {
    if (this.isOn) this.later(AGAIN);
  }

  clear() {
    this.input.value = "";
    this.look();
  }

  async look() {
    const words = this.input.value.trim();
    this.words = words;
    if (!words) return this.show(() => (this.said.textContent = ""));
    try {
      await this.memory.read(
        () => [],
        () => this.memory.find({ q: words }),
        (answer) => words === this.words && this.take(answer),
      );
    } catch (error) {
      if (words === this.words) this.said.textContent = error.status ? error.message : "No answer from the server";
    }
    return undefined;
  }

  take({ found, more, tree }) {
    this.show(() => this.tree.pin(this.tree.root, tree, (node, view) => this.mark(node, view)));
    this.said.textContent = more ? `The first ${found}` : count(found, "match", "matches");
    this.view.list.classList.toggle("tree-unmatched", found === 0);
    announce(this.said.textContent);
  }

  mark(node, view) {
    this.marked.add(node);
    node.hit = view.hit;
    node.leads = Boolean(view.part); // to others inside
    if (view.part && !node.isRoot) node.open = true;
    this.view.changed(node);
  }

  show(change) {
    this.view.batch(() => {
      for (const node of this.marked) node.el?.classList.remove("tree-hit", "tree-way", "tree-leads");
      this.marked.clear();
      this.marks?.clear();
      this.view.list.classList.toggle("tree-filtering", this.isOn);
      this.view.list.classList.remove("tree-unmatched");
      change();
      this.view.afterwards(() => this.shown());
    });
  }

  shown() {
    for (const { el, hit, leads } of this.marked) el?.classList.add(hit ? "tree-hit" : "tree-way", ...(leads ? ["tree-leads"] : []));
    if (this.isOn) this.paint();
    else this.view.focus(this.view.current, { take: false });
  }

  /** Colour the words where they stand. */
  paint() {
    const words = fold(this.words);
    for (const node of this.marks ? this.marked : []) {
      if (!node.hit || !node.el) continue;
      for (const part of node.el.firstChild.querySelectorAll(
        ".tree-name, .tree-string, .tree-number, .tree-boolean, .tree-null",
      ))
        this.paintIn(part.firstChild, words);
    }
  }

  paintIn(text, words) {
    if (text?.nodeType !== Node.TEXT_NODE) return;
    const found = findFolded(text.data, words);
    if (!found) return;
    const range = new Range();
    range.setStart(text, found[0]);
    range.setEnd(text, found[1]);
    this.marks.add(range);
  }
}
