// What is gone from the chosen object or list, or from the whole: who took it, what it was, and a way to bring it back.

import { call } from "../../nola/lib/api.js";
import { who } from "./blame.js";
import { h, icon } from "../../nola/lib/dom.js";
import { tokensOf } from "../../nola/lib/json.js";
import { bringBack } from "./restore.js";
import { short, spoken } from "./view.js";

const DELETED = "/api/deleted";
const PAGE = 20;
const FAR = 10; // pages without anything that are passed over at once

export class Deleted {
  constructor(panel) {
    this.panel = panel;
    this.list = h("ul.tp-gone");
    this.note = h("p.tp-note");
    this.more = h(
      "button.tree-button.tp-older",
      { type: "button", hidden: true, onclick: () => this.older() },
      "Look further back",
    );
    this.failed = h("div");
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
      let [found, next] = [[], query];
      for (let pages = 0; next && !found.length && pages < FAR; pages += 1) {
        const answer = await call("GET", DELETED, { query: next, signal });
        if (signal.aborted) return;
        const names = new Set(this.node.type === "object" ? before.map(({ pointer }) => pointer) : []);
        found = JSON.parse(answer.text).deleted.filter(({ pointer }) => !names.has(pointer)); // the newest of a name is told
        next = answer.next;
      }
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
        h("span.tp-name", {}, name || "(no name)"),
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
          "button.tree-link",
          { type: "button", "aria-label": `Bring it back … (${name})`, onclick: back },
          "Bring it back …",
        ),
      ),
    );
  }
}
