// The tree on the page: one element a node, made when its parent is opened, and from then on only changed. A change
// elsewhere never touches the element that somebody is typing in, and nothing that is seen moves by it.

import { h, icon } from "../../nola/lib/dom.js";
import { shownName, spokenName } from "../../nola/lib/names.js";
import { after, arrange, before, following, preceding } from "./order.js";
import { content, spoken } from "./told.js";

const FRESH = 6000; // milliseconds that a change by somebody else stays marked
const NEAR = 200; // rows that are loaded as soon as their place comes into sight, also before others

export class View {
  /** `on.more(node, behind)` loads the next page, behind one of its kids, `on.open(node)` is told what is opened, `on.focus(node)` what is focused,
   *  `on.row(node)` which row was drawn; `on.keeps(element)` says whether somebody is typing. */
  constructor(list, scroller, on) {
    Object.assign(this, {
      list,
      scroller,
      on,
      depth: 0,
      gone: new Map(),
      kept: new Map(),
      dirty: new Set(),
      nodes: new Map(),
      then: [],
      current: null,
    });
    this.onscreen = new IntersectionObserver((entries) => this.reached(entries), {
      root: scroller,
      rootMargin: "400px",
    });
  }

  /** Run what changes the tree, then bring the page up to date at once, leaving where it is what can be seen. */
  batch(change) {
    const anchor = this.depth === 0 ? this.anchor() : undefined;
    this.depth += 1;
    try {
      return change();
    } finally {
      this.depth -= 1;
      if (this.depth === 0) {
        this.flush();
        this.hold(anchor);
      }
    }
  }

  anchor() {
    const focused = document.activeElement?.closest?.(".tree-row") ?? this.current?.el?.firstChild;
    const { top, bottom } = this.scroller.getBoundingClientRect();
    if (this.scroller.scrollTop === 0 && !focused) return undefined;
    for (const row of [focused, ...this.rowsAt(top)]) {
      const at = row?.isConnected ? row.getBoundingClientRect() : undefined;
      if (at && at.bottom > top && at.top < bottom) return { row, top: at.top };
    }
    return undefined;
  }

  rowsAt(top) {
    const { left, width } = this.scroller.getBoundingClientRect();
    return [8, 40].map((down) => document.elementFromPoint(left + width / 2, top + down)?.closest(".tree-row"));
  }

  hold(anchor) {
    if (!anchor?.row.isConnected) return;
    const moved = anchor.row.getBoundingClientRect().top - anchor.top;
    if (moved) this.scroller.scrollTop += moved;
  }

  // What the tree tells

  inserted(node) {
    this.changed(node.parent);
  }

  removed(node) {
    if (node.el) this.gone.set(node, node.el);
  }

  changed(node) {
    this.dirty.add(node);
    if (this.depth === 0) this.flush();
  }

  flush() {
    for (const [node, element] of this.gone) if (!node.isAttached) this.drop(node, element);
    for (const node of this.dirty) if (node.isRoot || node.el) this.update(node);
    this.dirty.clear();
    for (const [node, element] of this.gone) if (node.isAttached && !this.isPlaced(node)) this.drop(node, element);
    this.gone.clear();
    for (const act of this.then.splice(0)) act();
  }

  /** Do something with elements once they are there. */
  afterwards(act) {
    this.then.push(act);
    if (this.depth === 0) this.flush();
  }

  /** Whether its element stands in its parent's: not so where it was moved into what is closed. */
  isPlaced(node) {
    return Boolean(node.el) && node.el.parentElement === this.groupOf(node.parent);
  }

  /** Take a removed node off the page, unless somebody is typing in it: that is theirs to end. */
  drop(node, element) {
    if (this.on.keeps(element)) {
      element.classList.add("tree-gone");
      this.kept.set(node, element);
      return;
    }
    const heir = this.current?.within(node) ? this.neighbour(element) : undefined;
    const hadFocus = element.contains(document.activeElement);
    element.remove();
    this.forget(node);
    if (heir) this.focus(heir, { take: hadFocus, scroll: false });
  }

  /** Nobody is typing any more in what was removed meanwhile. */
  letGo() {
    for (const [node, element] of this.kept) this.drop(node, element);
    this.kept.clear();
  }

  forget(node) {
    this.nodes.delete(node.id);
    Object.assign(node, { el: null, group: null, gaps: null });
    for (const kid of node.kids ?? []) if (kid.el) this.forget(kid);
  }

  neighbour(element) {
    const other = after(element) ?? before(element) ?? element.parentElement.closest(".tree-node");
    return this.nodes.get(other?.id);
  }

  // Elements

  groupOf(node) {
    return node.isRoot ? this.list : node.group;
  }

  make(node) {
    const row = h(
      "div.tree-row",
      {},
      h("span.tree-twist", { "aria-hidden": "true" }),
      h("span.tree-name"),
      h("span.tree-value"),
    );
    node.el = h("li.tree-node", { id: node.id, role: "treeitem", tabIndex: -1 }, row);
    this.nodes.set(node.id, node);
    this.update(node);
    return node.el;
  }

  update(node) {
    if (!node.isRoot) this.updateRow(node);
    if (node.isContainer && node.open && node.kids) {
      this.fillGroup(node);
      if (node.type === "array") this.relabel(node);
    } else if (node.group) {
      node.group.remove();
      for (const kid of node.kids ?? []) this.forget(kid);
      Object.assign(node, { group: null, gaps: null });
    }
    if (node.isRoot) this.list.classList.toggle("tree-none", node.isWhole && !node.size);
  }

  updateRow(node) {
    const [, name, value] = node.el.firstChild.children;
    const shown = node.pending ?? node;
    this.label(node, name);
    value.className = `tree-value tree-${shown.type}`;
    value.replaceChildren(...content(shown));
    node.el.classList.toggle("tree-saving", Boolean(node.pending ?? node.pendingName ?? node.moving));
    if (node.isContainer && node.size) node.el.setAttribute("aria-expanded", String(node.open));
    else node.el.removeAttribute("aria-expanded");
    this.describe(node);
    this.on.row(node);
  }

  label(node, name, index = undefined) {
    const label = node.pendingName ?? (node.parent?.type === "array" ? String(index ?? node.index) : node.name);
    name.textContent = shownName(label);
    name.classList.toggle("tree-index", node.parent?.type === "array" || label === "");
    name.classList.toggle("tree-marked", label !== "" && name.textContent !== label);
    node.shown = label;
  }

  describe(node) {
    const shown = node.pending ?? node;
    node.el.setAttribute("aria-label", `${spokenName(node.shown)}: ${spoken(shown)}`);
  }

  relabel(node) {
    node.kids.forEach((kid, at) => {
      const index = at < node.prefix ? at : kid.at;
      if (!kid.el || kid.shown === String(index)) return;
      this.label(kid, kid.el.firstChild.children[1], index);
      this.describe(kid);
    });
  }

  fillGroup(node) {
    const group = this.groupOf(node) ?? this.addGroup(node);
    const old = node.gaps;
    node.gaps = new Map();
    const rows = node.rows.map((row) => (row.left ? this.gap(node, row, old) : (row.el ?? this.make(row))));
    for (const [behind, gap] of old ?? []) if (node.gaps.get(behind) !== gap) this.dropGap(node, behind, gap);
    arrange(group, rows, (one) => !one.matches(".tree-more") && this.nodes.get(one.id)?.parent !== node);
  }

  addGroup(node) {
    node.group = h("ul.tree-group", { role: "group" });
    node.el.append(node.group);
    return node.group;
  }

  /** The row that says how many are not loaded between two others. At the end, or where they are few, they are loaded
   *  when it comes into sight; otherwise whoever wants them says so. */
  gap(node, { behind, left, isLast }, old) {
    const gap = old?.get(behind) ?? this.newGap(node, behind);
    node.gaps.set(behind, gap);
    gap.comes = isLast || left <= NEAR;
    const text = `${left.toLocaleString("en")} more`;
    gap.firstChild.firstChild.textContent = text;
    gap.setAttribute("aria-label", text);
    return gap;
  }

  newGap(node, behind) {
    const load = () => this.on.more(node, behind);
    const button = h("button.ui-link", { type: "button", onclick: load });
    const gap = h("li.tree-more", { role: "treeitem", tabIndex: -1 }, h("div.tree-row", {}, button));
    Object.assign(gap, { load });
    this.onscreen.observe(gap);
    return gap;
  }

  dropGap(node, behind, gap) {
    const next = node.kids[node.kids.indexOf(behind) + 1];
    if (gap.contains(document.activeElement)) this.then.push(() => this.focus(next, { scroll: false }));
    this.onscreen.unobserve(gap);
    gap.remove();
  }

  reached(entries) {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting && target.isConnected && target.comes) target.load();
  }

  /** Look again which rows that stand for others are in sight. */
  lookAgain(node) {
    for (const gap of node.gaps?.values() ?? []) {
      this.onscreen.unobserve(gap);
      this.onscreen.observe(gap);
    }
  }

  // Opening, and the one row that has the focus

  setOpen(node, open) {
    if (!node.isContainer || node.open === open || node.isRoot) return;
    if (!open && this.current !== node && this.current?.within(node)) this.focus(node);
    node.open = open;
    this.changed(node);
    if (open) this.on.open(node);
  }

  focus(node, { take = true, scroll = true } = {}) {
    if (!node?.el) return;
    this.current?.el?.setAttribute("tabindex", "-1");
    this.current?.el?.removeAttribute("aria-selected");
    this.current = node;
    node.el.setAttribute("tabindex", "0");
    node.el.setAttribute("aria-selected", "true");
    if (take) node.el.focus({ preventScroll: true });
    if (scroll) this.bringIntoSight(node.el.firstChild);
    this.on.focus(node);
  }

  bringIntoSight(row) {
    const at = row.getBoundingClientRect();
    const { top, bottom } = this.scroller.getBoundingClientRect();
    if (at.top < top + 4 || at.bottom > bottom - 4)
      row.scrollIntoView({ block: at.top < top - 200 || at.bottom > bottom + 200 ? "center" : "nearest" });
  }

  /** The rows that can be seen, one step on (1) or back (-1) from a node. */
  step(node, by) {
    let element = node.el;
    do element = by > 0 ? following(element) : preceding(element, this.list);
    while (element && (!this.nodes.has(element.id) || !element.firstChild.checkVisibility()));
    return this.nodes.get(element?.id);
  }

  /** The first row that can be seen, or the last. */
  edge(last = false) {
    const elements = [...this.list.querySelectorAll(".tree-node:not(.tree-ghost, .tree-leaving)")];
    const found = (last ? elements.reverse() : elements).find((one) => one.firstChild.checkVisibility());
    return this.nodes.get(found?.id);
  }

  nodeAt(element) {
    return this.nodes.get(element?.closest?.(".tree-node, .tree-more")?.id);
  }

  // Marks

  /** Mark what somebody else has changed; where it cannot be seen, the closed value it is in. */
  mark(node, who, did) {
    while (node && !node.el?.isConnected) node = node.parent;
    if (!node?.el) return;
    const row = node.el.firstChild;
    node.el.classList.remove("tree-fresh");
    void row.offsetWidth; // restart the animation
    node.el.classList.add("tree-fresh");
    row.querySelector(".tree-who")?.remove();
    row.append(h("span.tree-who", { title: `${who} ${did} this just now` }, who, h("span.tree-when", {}, "now")));
    clearTimeout(node.fading);
    node.fading = setTimeout(() => {
      row.querySelector(".tree-who")?.remove();
      node.el?.classList.remove("tree-fresh");
    }, FRESH);
  }

  /** A note below a row, such as why an edit was refused, with buttons [[label, act], …]. */
  note(node, text, buttons = []) {
    if (!node.el) return undefined;
    node.el.querySelector(":scope > .tree-note")?.remove();
    const note = h("div.tree-note.ui-note.ui-bad", { role: "alert" }, icon("error"), h("span", {}, text));
    for (const [label, act] of [...buttons, ["Dismiss", () => {}]])
      note.append(h("button.ui-link", { type: "button", onclick: () => (note.remove(), act()) }, label));
    node.el.firstChild.after(note);
    return note;
  }
}
