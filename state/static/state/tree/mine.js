// My edits in this tab, to undo and redo. The server takes a revision back with everything later left as it is, so
// what others have done in between stays; where they are in the way, I am asked.

import * as api from "../../nola/lib/api.js";
import { announce, h } from "../../nola/lib/dom.js";

const SHOWN = 8000; // milliseconds of a message

export class Mine {
  constructor(memory, buttons, messages, show) {
    Object.assign(this, { memory, buttons, messages, show, done: [], undone: [] });
    buttons.undo.onclick = () => this.undo();
    buttons.redo.onclick = () => this.redo();
    this.tell();
  }

  did(revision, label) {
    this.done.push({ revision, label });
    this.undone = [];
    this.tell();
  }

  undo(prefer) {
    return this.back(this.done, this.undone, "Undid", prefer);
  }

  redo(prefer) {
    return this.back(this.undone, this.done, "Redid", prefer);
  }

  /** Take back the last of one pile, and put what that made on the other. */
  async back(from, to, word, prefer) {
    if (this.memory.lens) return this.say("Go back to now first: what is shown cannot be changed.");
    await this.memory.settle(); // what is to be undone may still be on its way
    const last = from.pop();
    if (!last) return announce(`Nothing to ${word === "Undid" ? "undo" : "redo"}`);
    this.tell();
    try {
      const revision = await this.memory.write(() => api.undo(last.revision, prefer));
      if (revision) to.push({ revision, label: last.label });
      if (revision) this.show(revision);
      this.say(`${word} the ${last.label}`);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      from.push(last); // it can be tried again
      if (error.conflicts.length) this.ask(from, to, word, last);
      else this.say(`Could not: ${error.message}`);
    }
    return this.tell();
  }

  ask(from, to, word, last) {
    const force = (prefer) => () => from.at(-1) === last && this.back(from, to, word, prefer);
    this.say(
      `Somebody has changed the same since the ${last.label}.`,
      [
        ["Take mine back all the same", force("mine")],
        ["Leave theirs", force("theirs")],
      ],
      0,
    );
  }

  /** Say that something is done, with a way back. */
  offer(text) {
    this.say(text, [["Undo", () => this.undo()]]);
  }

  say(text, buttons = [], time = SHOWN) {
    const message = h("div.tree-message.ui-float", {}, h("span", {}, text));
    const end = () => message.remove();
    for (const [label, act] of buttons)
      message.append(h("button.ui-link", { type: "button", onclick: () => (end(), act()) }, label));
    message.append(h("button.ui-link", { type: "button", "aria-label": "Dismiss", onclick: end }, "✕"));
    this.messages.replaceChildren(message);
    announce(text);
    if (time) setTimeout(end, time);
  }

  tell() {
    for (const [name, pile] of [
      ["undo", this.done],
      ["redo", this.undone],
    ]) {
      const last = pile.at(-1);
      this.buttons[name].disabled = !last;
      this.buttons[name].title =
        `${name === "undo" ? "Undo" : "Redo"}${last ? ` the ${last.label}` : ""} (${name === "undo" ? "Ctrl+Z" : "Ctrl+Shift+Z"})`;
    }
  }
}
