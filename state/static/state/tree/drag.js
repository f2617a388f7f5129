// Moving by mouse, pen or finger: take a row by its grip, and let it go before, behind or inside another.

import { h } from "../../nola/lib/dom.js";

const EDGE = 40; // pixels from the edge of the tree in which it scrolls

export class Drag {
  constructor(view, tools, scroller, move) {
    Object.assign(this, { view, tools, scroller, move });
    tools.grip.addEventListener("pointerdown", (event) => this.start(event));
  }

  start(event) {
    if (event.button) return;
    event.preventDefault();
    this.node = this.tools.node;
    this.tools.held = true;
    this.grip = event.target.closest("button");
    this.grip.setPointerCapture(event.pointerId);
    this.line = h("div.tree-drop");
    this.stop = new AbortController();
    const on = (name, act) => addEventListener(name, act, { signal: this.stop.signal, capture: true });
    on("pointermove", (moved) => this.over(moved));
    on("pointerup", () => this.end(true));
    on("pointercancel", () => this.end(false));
    on("keydown", (pressed) => pressed.key === "Escape" && (pressed.stopPropagation(), this.end(false)));
    this.node.el.classList.add("tree-dragged");
  }

  /** Find where it would go: the upper part of a row is before it, the lower behind, the middle of a container inside. */
  over({ clientX, clientY }) {
    this.scroll(clientY);
    const row = document
      .elementsFromPoint(clientX, clientY)
      .find((one) => one.closest?.(".tree-row"))
      ?.closest(".tree-row");
    const node = this.view.nodeAt(row);
    this.target = node && !node.within(this.node) ? this.place(node, row.getBoundingClientRect(), clientY) : undefined;
    this.draw(row);
  }

  place(node, { top, height }, y) {
    const part = (y - top) / height;
    const { parent } = node;
    const behind = parent.kids[parent.kids.indexOf(node) + 1] ?? null;
    if (node.isContainer && (node.isKey || (part > 0.25 && part < 0.75)))
      return { parent: node, next: null, at: "inside" };
    if (part < 0.5) return { parent, next: node, at: "before" };
    if (node.isContainer && node.open && node.kids?.length) return { parent: node, next: node.kids[0], at: "after" };
    return { parent, next: behind, at: "after" };
  }

  draw(row) {
    this.line.remove();
    this.inside?.classList.remove("tree-target");
    this.inside = null;
    if (!this.target) return;
    if (this.target.at === "inside") {
      this.inside = row;
      row.classList.add("tree-target");
    } else {
      this.line.dataset.at = this.target.at;
      row.append(this.line);
    }
  }

  scroll(y) {
    const { top, bottom } = this.scroller.getBoundingClientRect();
    if (y < top + EDGE) this.scroller.scrollTop -= 12;
    if (y > bottom - EDGE) this.scroller.scrollTop += 12;
  }

  end(drop) {
    const { node, target } = this;
    this.stop.abort();
    this.line.remove();
    this.inside?.classList.remove("tree-target");
    node.el?.classList.remove("tree-dragged");
    this.tools.held = false;
    this.target = null;
    if (drop && target && node.isAttached && target.next !== node) this.move(node, target.parent, target.next);
  }
}
