// From the key that asks for an editor until it is there: what it needs is read, and keys are held back, so that none of
// what is typed meanwhile runs as a command.

import { announce } from "../../nola/lib/dom.js";

const PASSES = /^(F\d+|Tab|Control|Shift|Alt|AltGraph|Meta)$/;
const COMMANDS = /^[acvxyz]$/i; // with Ctrl; others are the browser's

export class Opening {
  constructor(list) {
    this.list = list;
    this.turn = null;
    document.addEventListener("keydown", (event) => this.hold(event), true);
  }

  /** Read what the editor of a node needs. Undefined if its owner has gone on to something else meanwhile. */
  async read(node, read) {
    const [turn, focused] = [(this.turn = {}), document.activeElement];
    node.el?.classList.add("tree-opening");
    try {
      const found = await read();
      return turn === this.turn && focused === document.activeElement ? found : undefined;
    } finally {
      node.el?.classList.remove("tree-opening");
      if (turn === this.turn) this.turn = null;
    }
  }

  giveUp() {
    this.turn = null;
  }

  hold(event) {
    const { key, ctrlKey, metaKey, target } = event;
    if (!this.turn || PASSES.test(key) || ((ctrlKey || metaKey) && !COMMANDS.test(key))) return;
    if (target !== document.body && !this.list.contains(target)) return;
    event.preventDefault();
    event.stopPropagation();
    if (key !== "Escape") return;
    this.giveUp();
    announce("Not opened");
  }
}
