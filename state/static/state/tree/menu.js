// The tools of a row, its menu, and the sheet of shortcuts: one table of commands says it all.

import { h, icon } from "../../nola/lib/dom.js";

/** [name, label, symbol, keys, what it is for]; keys as a person reads them. */
export const COMMANDS = [
  ["edit", "Edit", "edit", "Enter", (node) => !node.isContainer],
  ["json", "Edit as JSON", "data_object", "E", () => true],
  ["type", "Change type", "category", "T", (node) => !node.isContainer],
  ["rename", "Rename", "drive_file_rename_outline", "F2", (node) => node.parent.type === "object"],
  ["add", "Add inside", "add", "A", (node) => node.isContainer],
  ["after", "Add after", "add_row_below", "O", (node) => !node.isKey],
  ["before", "Insert before", "add_row_above", "B", (node) => !node.isKey],
  ["duplicate", "Duplicate", "content_copy", "D", () => true],
  ["up", "Move up", "arrow_upward", "Alt+↑", (node) => !node.isKey],
  ["down", "Move down", "arrow_downward", "Alt+↓", (node) => !node.isKey],
  ["out", "Move out", "arrow_back", "Alt+←", (node) => !node.isKey && !node.parent.isKey],
  ["in", "Move in", "arrow_forward", "Alt+→", (node) => !node.isKey],
  ["cut", "Cut, to move it", "content_cut", "Ctrl+X", () => true],
  ["paste", "Paste", "content_paste", "Ctrl+V", () => true],
  ["copy", "Copy value", "content_copy", "Ctrl+C", () => true],
  ["path", "Copy path", "link", "P", () => true],
  ["download", "Download", "download", "", () => true],
  ["history", "Who wrote it, and history", "history", "Shift+I", () => true],
  ["form", "Edit as form", "article", "", () => true],
  ["delete", "Delete", "delete", "Delete", () => true],
];
const GROUPS = [
  ["json", "type", "rename"],
  ["add", "after", "before", "duplicate"],
  ["up", "down", "out", "in", "cut", "paste"],
  ["copy", "path", "download"],
  ["history", "form"],
  ["delete"],
];

const KEYS = [
  [
    "Move about",
    [
      ["↑ ↓", "Up and down"],
      ["→ ←", "Open and close"],
      ["Home End", "First and last"],
      ["PgUp PgDn", "Twenty up or down"],
      ["1 – 9", "Open down to that level"],
      ["*", "Open all beside it"],
      ["F", "Filter names and values"],
      ["/", "Search all of the memory"],
      ["S", "Keys whatever their case, and back"],
      ["G", "The keys as forms, and back"],
      ["I", "Who wrote it, and its history"],
      ["Shift+I", "Go there; Esc leads back"],
    ],
  ],
  [
    "Edit",
    [
      ["Enter", "Edit, or open and close"],
      ["Space", "Switch yes and no"],
      ["F2 or R", "Rename"],
      ["T", "Change the type"],
      ["E", "Edit as JSON"],
      ["A", "Add inside, or after"],
      ["O", "Add after"],
      ["B", "Insert before"],
      ["D", "Duplicate"],
      ["Delete", "Delete"],
    ],
  ],
  [
    "Move and copy",
    [
      ["Alt+↑ ↓", "Move up and down"],
      ["Alt+← →", "Move out and in"],
      ["Ctrl+X Ctrl+V", "Cut, and paste elsewhere"],
      ["Ctrl+C", "Copy the value"],
      ["P", "Copy the path"],
      ["M", "All commands"],
    ],
  ],
  [
    "Undo",
    [
      ["Ctrl+Z", "Undo my last edit"],
      ["Ctrl+Shift+Z", "Redo"],
      ["?", "This sheet"],
    ],
  ],
  [
    "Look back",
    [
      ["H", "History: as it was"],
      ["[ ]", "One change back, on"],
      ["{ }", "Ten changes back, on"],
      ["L", "As seen at level 1, 2, 3"],
      ["Esc", "Back to now"],
    ],
  ],
];

export class Tools {
  /** `run(name, node)` does a command. */
  constructor(view, foot, run) {
    this.isOff = () => false; // which commands are not to be had just now, and why: see past.js
    Object.assign(this, { view, foot, run, narrow: matchMedia("(max-width: 640px)") });
    const tool = (name, label, symbol) =>
      h(
        "button.ui-icon",
        { type: "button", tabIndex: -1, title: label, "aria-label": label, onclick: (event) => this.use(name, event) },
        icon(symbol),
      );
    this.grip = tool("grip", "Drag to move", "drag_indicator");
    this.grip.classList.add("tree-grip");
    this.buttons = {
      add: tool("add", "Add (A)", "add"),
      edit: tool("edit", "Edit (Enter)", "edit"),
      delete: tool("delete", "Delete (Delete)", "delete"),
      more: tool("more", "More (M)", "more_horiz"),
    };
    this.element = h(
      "div.tree-tools",
      { onclick: (event) => event.stopPropagation(), ondblclick: (event) => event.stopPropagation() },
      this.grip,
      ...Object.values(this.buttons),
    );
  }

  /** Show the tools in the row of a node; on a phone they are at the foot of the page. */
  on(node) {
    if (!node?.el || this.held) return;
    this.node = node;
    const place = this.narrow.matches ? this.foot : node.el.firstChild;
    if (this.element.parentElement !== place) place.append(this.element);
    this.foot.hidden = !this.narrow.matches;
    this.buttons.add.hidden = node.isKey && !node.isContainer;
  }

  use(name, event) {
    const { node } = this;
    if (!node?.isAttached || name === "grip") return;
    if (name === "more") this.menu(node, event.currentTarget.getBoundingClientRect());
    else
      this.run(
        name === "add" && !node.isContainer ? "after" : name === "edit" && node.isContainer ? "json" : name,
        node,
      );
  }

  /** All commands for a node, at a place on the page. */
  menu(node, at = node.el.firstChild.getBoundingClientRect()) {
    this.view.focus(node, { scroll: false });
    const menu = h("div.tree-menu.ui-menu", { role: "menu", popover: "auto", "aria-label": `Commands for ${node.label}` });
    for (const group of GROUPS) {
      const items = COMMANDS.filter(
        ([name, , , , fits]) => group.includes(name) && fits(node) && !this.isOff(name),
      );
      if (items.length && menu.children.length) menu.append(h("div.tree-menu-line", { role: "separator" }));
      for (const [name, label, symbol, keys] of items) menu.append(this.item(menu, node, name, label, symbol, keys));
    }
    if (this.why) menu.prepend(h("div.past-menu-why.ui-faint", {}, this.why));
    menu.onkeydown = (event) => menu_key(menu, event);
    menu.addEventListener("toggle", ({ newState }) => {
      if (newState !== "closed") return;
      if (menu.contains(document.activeElement) || document.activeElement === document.body)
        this.view.focus(this.view.current, { scroll: false });
      menu.remove();
    });
    document.body.append(menu);
    menu.showPopover();
    menu.style.left = `${Math.max(8, Math.min(at.right - menu.offsetWidth, innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
    menu.querySelector("button").focus();
  }

  item(menu, node, name, label, symbol, keys) {
    const act = () => {
      menu.hidePopover();
      this.run(name, node);
    };
    return h(
      `button.tree-menu-item${name === "delete" ? ".tree-danger" : ""}`,
      { type: "button", role: "menuitem", tabIndex: -1, onclick: act },
      icon(symbol),
      h("span", {}, label),
      keys && h("kbd", {}, keys),
    );
  }
}

function menu_key(menu, event) {
  const items = [...menu.querySelectorAll("button")];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  event.stopPropagation();
  if (to === undefined) return;
  event.preventDefault();
  items.at(to % items.length).focus();
}

/** The sheet of shortcuts, a dialog. */
export function sheet() {
  const dialog = h(
    "dialog.tree-sheet.ui-dialog",
    { "aria-labelledby": "tree-sheet-title" },
    h(
      "div.ui-dialog-head",
      {},
      h("h2", { id: "tree-sheet-title" }, "Keyboard shortcuts"),
      h("button.ui-icon", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close")),
    ),
    h(
      "div.tree-sheet-body.ui-dialog-body",
      { tabIndex: 0, role: "region", "aria-labelledby": "tree-sheet-title" },
      ...KEYS.map(([title, keys]) =>
        h(
          "section",
          {},
          h("h3", {}, title),
          h(
            "dl",
            {},
            ...keys.flatMap(([key, what]) => [
              h("dt", {}, ...key.split(" ").map((one) => (["or", "–"].includes(one) ? one : h("kbd", {}, one)))),
              h("dd", {}, what),
            ]),
          ),
        ),
      ),
    ),
  );
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  dialog.onclose = () => dialog.remove();
  document.body.append(dialog);
  dialog.showModal();
}
