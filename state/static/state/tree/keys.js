// The keyboard: in the tree every command has a key; undo, redo and the filter work anywhere on the page.

const LETTERS = {
  a: "add",
  o: "after",
  b: "before",
  d: "duplicate",
  e: "json",
  t: "type",
  r: "rename",
  p: "path",
  m: "menu",
  F2: "rename",
  Delete: "delete",
  Backspace: "delete",
};
const WITH_CTRL = { x: "cut", c: "copy", v: "paste" };
const WITH_ALT = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "out", ArrowRight: "in" };

export class Keys {
  /** `app` has view, actions, mine, filter, panel, run(name, node), level(number), order(),
   *  toEnd(), sheet(). */
  constructor(app, list) {
    this.app = app;
    list.addEventListener("keydown", (event) => this.inTree(event));
    document.addEventListener("keydown", (event) => this.anywhere(event));
  }

  anywhere(event) {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable], dialog, [popover]");
    const key = event.key.toLowerCase();
    if (typing || event.defaultPrevented) return;
    if ((event.ctrlKey || event.metaKey) && key === "z")
      this.does(event, () => (event.shiftKey ? this.app.mine.redo() : this.app.mine.undo()));
    else if ((event.ctrlKey || event.metaKey) && key === "y") this.does(event, () => this.app.mine.redo());
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key === "f") this.does(event, () => this.app.filter.input.select());
    else if (key === "s") this.does(event, () => this.app.order());
    else if (event.key === "i") this.does(event, () => this.app.panel.toggle());
    else if (event.key === "I") this.does(event, () => this.app.panel.enter());
    else if (event.key === "?") this.does(event, () => this.app.sheet());
    else if (event.key === "Escape" && this.app.filter.isOn) this.does(event, () => this.app.filter.clear());
  }

  does(event, act) {
    event.preventDefault();
    act();
  }

  inTree(event) {
    const { view } = this.app;
    const gap = event.target.closest(".tree-more");
    const node = view.nodeAt(event.target);
    if (gap && /^Arrow(Up|Down)$/.test(event.key))
      this.does(event, () => view.focus(view.step({ el: gap }, event.key === "ArrowUp" ? -1 : 1)));
    if (!node || event.target.closest(".tree-edit, .tree-note, .tree-conflict")) return;
    const act = this.command(event, node) ?? this.way(event, node);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  command(event, node) {
    const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
    const run = (name) => name && (() => this.app.run(name, node));
    if (altKey) return run(WITH_ALT[key]);
    if (ctrlKey || metaKey)
      return getSelection().isCollapsed || key !== "c" ? run(WITH_CTRL[key.toLowerCase()]) : undefined;
    if (key === "ContextMenu" || (shiftKey && key === "F10")) return run("menu");
    if (key === "Enter") return () => (node.isContainer ? this.open(node, !node.open) : this.app.run("edit", node));
    if (key === " ")
      return () => (node.type === "boolean" ? this.app.run("toggle", node) : this.open(node, !node.open));
    if (/^[1-9]$/.test(key)) return () => this.app.level(Number(key));
    if (key === "*") return () => node.parent.kids.forEach((kid) => this.open(kid, true));
    return run(LETTERS[key.length === 1 ? key.toLowerCase() : key]);
  }

  open(node, open) {
    if (!node.isContainer) return;
    if (open) this.app.run("open", node);
    else this.app.view.setOpen(node, false);
  }

  /** Where the arrows lead (the tree pattern of the ARIA Authoring Practices). */
  way({ key }, node) {
    const { view } = this.app;
    const go = (to) => to && (() => view.focus(to));
    switch (key) {
      case "ArrowDown":
        return go(view.step(node, 1)) ?? (() => {});
      case "ArrowUp":
        return go(view.step(node, -1)) ?? (() => {});
      case "ArrowRight":
        return node.isContainer && !node.open
          ? () => this.open(node, true)
          : node.open
            ? go(view.step(node, 1))
            : undefined;
      case "ArrowLeft":
        return node.open ? () => this.open(node, false) : node.parent.isRoot ? undefined : go(node.parent);
      case "Home":
        return go(view.edge());
      case "End":
        return () => this.app.toEnd();
      case "PageDown":
        return go(this.many(node, 20));
      case "PageUp":
        return go(this.many(node, -20));
      default:
        return undefined;
    }
  }

  many(node, steps) {
    const by = Math.sign(steps);
    for (let left = Math.abs(steps), next; left && (next = this.app.view.step(node, by)); left -= 1) node = next;
    return node;
  }
}
