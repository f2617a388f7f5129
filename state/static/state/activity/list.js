// The list: lines in blocks. Only blocks near what is seen have elements, so that a history of any length stays light.

import { FEW, isRun } from "../changes/runs.js";
import { h } from "../../nola/lib/dom.js";
import { Group, row, settle } from "./rows.js";
import { day } from "../../nola/lib/dates.js";

const BLOCK = 40; // lines in a block
const NEAR = 1200; // pixels above and below, within which blocks have elements

export class List {
  constructor(feed, scroll, page) {
    Object.assign(this, { feed, scroll, page });
    this.watcher = new IntersectionObserver((seen) => this.attend(seen), { root: scroll, rootMargin: `${NEAR}px 0px` });
    this.clear();
  }

  clear() {
    this.watcher.disconnect();
    this.blocks = [];
    this.size = 0; // entries
    this.feed.replaceChildren();
  }

  get isEmpty() {
    return !this.blocks.length;
  }

  /** Whether somebody is in it, or has opened something of it. */
  get isUsed() {
    return this.feed.contains(document.activeElement) || this.feed.querySelector("[open], [aria-expanded=true]") !== null;
  }

  /** Older entries, at the end. */
  append(entries) {
    this.size += entries.length;
    const touched = new Set();
    for (const entry of entries) {
      const block = this.blocks.at(-1);
      const line = block?.lines.at(-1);
      if (line && isRun(line.entries.at(-1), entry, line.entries.length)) line.entries.push(entry);
      else if (block && block.lines.length < BLOCK) block.lines.push({ entries: [entry] });
      else this.grow("push", [{ entries: [entry] }]);
      touched.add(this.blocks.at(-1));
    }
    for (const block of touched) this.draw(block);
  }

  /** Newer entries, newest first, on top. */
  prepend(entries) {
    this.size += entries.length;
    const touched = new Set();
    for (const entry of [...entries].reverse()) {
      const block = this.blocks[0];
      const line = block?.lines[0];
      if (line && isRun(entry, line.entries[0], line.entries.length)) line.entries.unshift(entry);
      else if (block && block.lines.length < BLOCK) block.lines.unshift({ entries: [entry] });
      else this.grow("unshift", [{ entries: [entry] }]);
      entry.isFresh = true;
      touched.add(this.blocks[0]);
      if (block) touched.add(block); // its first line may have lost the heading of the day
    }
    for (const block of touched) this.draw(block);
  }

  grow(where, lines) {
    const block = { lines, element: h("div.act-block"), isNear: true };
    block.element.block = block;
    this.blocks[where](block);
    if (where === "push") this.feed.append(block.element);
    else this.feed.prepend(block.element);
    this.watcher.observe(block.element);
  }

  /** Give elements to the blocks that come near, and take them from those that are far and do not have the focus. */
  attend(seen) {
    for (const { target, isIntersecting } of seen) {
      const { block } = target;
      if (isIntersecting === block.isNear || (!isIntersecting && target.contains(document.activeElement))) continue;
      if (!isIntersecting) block.height = target.offsetHeight;
      block.isNear = isIntersecting;
      this.draw(block);
    }
    this.mark();
  }

  draw(block) {
    if (block.isNear) {
      block.element.style.height = "";
      settle(block.element, this.elements(block));
      return;
    }
    for (const line of block.lines) line.group = line.rows = undefined;
    block.element.replaceChildren();
    block.element.style.height = `${block.height}px`;
  }

  elements(block) {
    let before = this.blocks[this.blocks.indexOf(block) - 1]?.lines.at(-1);
    const found = [];
    block.days ??= new Map();
    for (const line of block.lines) {
      const heading = day(line.entries[0].at);
      if (!before || day(before.entries[0].at) !== heading) found.push(this.heading(block, heading));
      found.push(...this.of_line(line));
      before = line;
    }
    return found;
  }

  heading(block, text) {
    if (!block.days.has(text)) block.days.set(text, h("div.act-day", {}, text));
    return block.days.get(text);
  }

  of_line(line) {
    if (line.entries.length < FEW) {
      const known = new Map((line.rows ?? []).map((one) => [one.entry, one]));
      line.rows = line.entries.map((entry) => known.get(entry) ?? this.single(entry));
      return line.rows;
    }
    if (line.group) line.group.update();
    else line.group = new Group(line, this.page);
    line.rows = undefined;
    if (line.entries[0].isFresh) light(line.group.element);
    line.entries[0].isFresh = false;
    return [line.group.element];
  }

  single(entry) {
    const element = row(entry, this.page);
    if (entry.isFresh) light(element);
    entry.isFresh = false;
    return element;
  }

  // Where one is

  get rows() {
    return [...this.feed.querySelectorAll(".act-row")];
  }

  get current() {
    return document.activeElement?.closest?.(".act-row") ?? null;
  }

  /** Go to the row that is so many further on. */
  step(by) {
    const rows = this.rows;
    const at = rows.indexOf(this.current);
    this.go(at < 0 ? rows[0] : rows[Math.min(Math.max(at + by, 0), rows.length - 1)]);
  }

  go(element) {
    if (!element) return;
    this.mark(element);
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }

  /** The one row that Tab leads to: the given one, or the first if there is none. */
  mark(row = this.feed.querySelector(".act-row[tabindex='0']") ?? this.feed.querySelector(".act-row")) {
    if (!row) return;
    for (const one of this.feed.querySelectorAll(".act-row[tabindex='0']")) if (one !== row) one.tabIndex = -1;
    row.tabIndex = 0;
  }
}

function light(element) {
  element.classList.remove("act-fresh");
  void element.offsetWidth; // begin anew
  element.classList.add("act-fresh");
}
