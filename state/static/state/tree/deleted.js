// What is gone from the chosen object or list, or from the whole: who took it, what it was, and a way to bring it back.

import { call } from "../../nola/lib/api.js";
import { who } from "./blame.js";
import { h, icon } from "../../nola/lib/dom.js";
import { tokensOf } from "../../nola/lib/json.js";
import { shownName, spokenName } from "../../nola/lib/names.js";
import { Pages, onward } from "./pages.js";
import { bringBack } from "./restore.js";
import { short, spoken } from "./told.js";

const DELETED = "/api/deleted";
const PAGE = 20;
const FAR = 10; // pages without anything that are passed over at once

export class Deleted extends Pages {
  constructor(panel) {
    super(panel, "ul.tp-gone", "Look further back");
    this.note = h("p.tp-note");
    this.heading = h("h3.tp-heading", {}, "Deleted here");
    this.element = h(
      "details.tp-section.tp-deleted",
      {},
      h("summary", {}, this.heading),
      this.note,
      this.list,
      this.failed,
      this.more,
    );
    this.element.ontoggle = () => this.element.open && !this.isRead && this.again(this.panel.reading.signal);
  }

  /** Be about a node. It is read when this part is opened. */
  on(node, signal) {
    this.element.hidden = !node.isContainer || Boolean(this.panel.past);
    if (node !== this.node) this.fill([], undefined);
    if (node.isRoot !== this.node?.isRoot) this.element.open = Boolean(node.isRoot);
    this.node = node;
    this.isRead = false;
    this.heading.textContent = node.isRoot ? "Deleted keys" : "Deleted here";
    this.again(signal);
  }

  async again(signal) {
    if (this.element.hidden || !this.element.open) return;
    this.isRead = true;
    await this.read({ pointer: this.node.isRoot ? undefined : this.node.pointer, limit: PAGE }, [], signal);
  }

  older() {
    return this.read(this.next, this.gone, this.panel.reading.signal);
  }

  read(query, before, signal) {
    return this.panel.attempt(this.failed, signal, async () => {
      const names = new Set(this.node.type === "object" ? before.map(({ pointer }) => pointer) : []);
      const { found, next } = await onward(query, FAR, async (asked) => {
        const answer = await call("GET", DELETED, { query: asked, signal });
        const gone = JSON.parse(answer.text).deleted;
        return { found: gone.filter(({ pointer }) => !names.has(pointer)), next: answer.next }; // the newest of a name is told
      });
      if (signal.aborted) return;
      this.failed.replaceChildren();
      this.fill([...before, ...found], next);
    });
  }

  fill(gone, next) {
    Object.assign(this, { gone, next });
    this.list.replaceChildren(...gone.map((one) => (one.item ??= this.item(one))));
    this.more.hidden = !next;
    this.note.textContent = next ? "Nothing in the last changes." : "Nothing.";
    this.note.hidden = gone.length > 0;
  }

  item(gone) {
    const { memory } = this.panel.app;
    const name = tokensOf(gone.pointer).at(-1);
    const back = () => bringBack(this.panel, this.node, { ...gone, pointer: tokensOf(gone.pointer), was: gone.was });
    return h(
      "li.tp-change",
      {},
      h(
        "div.tp-lost",
        {},
        h("span.tp-name", {}, shownName(name)),
        h(
          `span.tree-value.tree-${gone.node.type}`,
          {},
          gone.node.type === "text" ? short(gone.node.text) : spoken(gone.node),
        ),
      ),
      ...who(gone, memory.me),
      ...(gone.renamed ? [h("p.tp-note", {}, icon("moving"), `is “${gone.renamed}” now`)] : []),
      h(
        "div.tp-acts",
        {},
        h(
          "button.ui-link",
          { type: "button", "aria-label": `Bring it back … (${spokenName(name)})`, onclick: back },
          "Bring it back …",
        ),
      ),
    );
  }
}
