// Two moments side by side: what was there then on the left, what was there later on the right. Only what differs is
// shown, unless all is asked for; between two differences stands how much is the same.

import { told } from "../changes/changes.js";
import { aligned } from "./aligned.js";
import { announce, bytes, count, h, icon } from "../../nola/lib/dom.js";
import { shownName } from "../../nola/lib/names.js";
import { short, spoken } from "./told.js";

const MOST = 500; // rows at once
const REST = 150; // milliseconds of rest before two moments are read
const SIGNS = { add: "+", remove: "−", set: "≠", move: "↷", left: "↶" };
const WORDS = { add: "added", remove: "removed", set: "changed", move: "moved", left: "moved away" };

export class Compare {
  constructor(past, page) {
    Object.assign(this, { past, page, all: false, at: -1 });
    this.made();
    past.compare = this;
    past.bar.compare.onclick = () => this.toggle();
    past.whenShown(() => this.isOpen && this.later());
    page.querySelector(".tree-body").before(this.element);
  }

  made() {
    const tool = (symbol, label, onclick) =>
      h("button.ui-icon", { type: "button", title: label, "aria-label": label.replace(/ \(.*/, ""), onclick }, icon(symbol));
    this.slider = h("input.past-slider", { type: "range", min: 0, step: 1, "aria-label": "The other moment" });
    this.slider.oninput = () => this.with(Number(this.slider.value));
    this.slider.onkeydown = (event) => this.step(event);
    this.label = h("span.past-cmp-when");
    this.found = h("span.past-cmp-found", { role: "status" });
    this.switch = h("input", { type: "checkbox", onchange: () => ((this.all = this.switch.checked), this.draw()) });
    this.list = h("div.past-cmp-rows", { role: "list", "aria-label": "Differences", tabIndex: -1 });
    this.heads = [h("span"), h("span")];
    this.element = h(
      "section.past-cmp.ui-panel",
      { "aria-label": "Two moments compared", hidden: true, onkeydown: (event) => this.key(event) },
      h(
        "div.past-cmp-bar",
        {},
        h("span.past-cmp-with", {}, "Compare with"),
        this.slider,
        this.label,
        this.found,
        tool("arrow_upward", "Previous difference (P)", () => this.go(-1)),
        tool("arrow_downward", "Next difference (N)", () => this.go(1)),
        h("label.ui-label", {}, this.switch, "Show everything"),
        tool("close", "Close the comparison (Esc)", () => this.close()),
      ),
      h("div.past-cmp-heads", {}, ...this.heads),
      this.list,
    );
  }

  get isOpen() {
    return !this.element.hidden;
  }

  toggle() {
    if (this.isOpen) return this.close();
    this.open("now");
    return this.list.focus();
  }

  /** Compare what is shown with a revision, or "now". */
  open(other) {
    if (this.past.at === undefined || this.past.level) return;
    this.past.setOther(other);
    this.element.hidden = false;
    this.page.classList.add("past-comparing");
    this.later();
  }

  close() {
    if (!this.isOpen) return;
    this.past.setOther(undefined);
    this.element.hidden = true;
    this.page.classList.remove("past-comparing");
    this.stop?.abort();
    this.past.bar.compare.focus();
  }

  with(place) {
    const { moments } = this.past;
    this.past.setOther(place >= moments.count ? "now" : moments.revisions[Math.max(0, place)]);
    this.later();
  }

  step(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !by) return;
    event.preventDefault();
    this.with(Math.max(0, Math.min(this.past.moments.count, Number(this.slider.value) + by)));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { n: () => this.go(1), p: () => this.go(-1), Escape: () => this.close() }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  later() {
    this.tell();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), REST);
  }

  /** The two moments, the earlier one first. */
  get pair() {
    const { at, other, moments } = this.past;
    const second = other === "now" ? moments.revisions.at(-1) : other;
    return [Math.min(at, second), Math.max(at, second)];
  }

  tell() {
    const { moments, other, bar } = this.past;
    const place = other === "now" ? moments.count : moments.place(other);
    Object.assign(this.slider, { max: moments.count, value: place });
    this.slider.style.setProperty("--past-at", moments.count ? place / moments.count : 1);
    this.label.textContent = other === "now" ? "Now" : bar.when(place);
    this.slider.setAttribute("aria-valuetext", this.label.textContent);
    this.pair.forEach((revision, side) => {
      const isNow = other === "now" && side === 1;
      this.heads[side].textContent = isNow ? "Now" : `${bar.when(moments.place(revision))} · change ${revision}`;
    });
  }

  async read() {
    if (!this.isOpen || this.past.at === undefined) return;
    this.stop?.abort();
    const { signal } = (this.stop = new AbortController());
    this.element.setAttribute("aria-busy", "true");
    try {
      const [from, to] = this.pair;
      const found = await aligned(from, to, signal, this.past.app.tree.order);
      if (signal.aborted) return;
      Object.assign(this, { found_rows: found.rows, rest: found.rest, total: found.total, at: -1 });
      this.page.dataset.compared = `${from}-${to}`;
      this.draw();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 410) return void this.past.isGone();
      this.list.replaceChildren(h("p.past-cmp-none", { role: "alert" }, this.past.app.reason(error)));
    } finally {
      if (!signal.aborted) this.element.removeAttribute("aria-busy");
    }
  }

  draw() {
    const rows = [...flat(this.found_rows, this.all)];
    this.found.textContent = count(this.total, "difference", "differences");
    this.list.replaceChildren();
    if (!this.total) this.list.append(h("p.past-cmp-none", {}, "Both moments are the same."));
    this.more(rows);
    if (this.rest.length)
      this.list.append(h("p.past-cmp-none", {}, "And in places that are too far down to be shown beside their surroundings:"), told(this.rest));
    announce(this.found.textContent);
  }

  more(rows) {
    const button = h("button.past-cmp-more", { type: "button" });
    const next = () => {
      button.before(...rows.splice(0, MOST).map((row) => this.line(row)));
      button.textContent = `Show more (${rows.length.toLocaleString("en")} left)`;
      button.hidden = !rows.length;
    };
    button.onclick = next;
    this.list.append(button);
    next();
  }

  line({ row, depth, same }) {
    if (same) return this.folded(same, depth);
    const { did } = row;
    const line = h("div.past-cmp-row", { role: "listitem", tabIndex: did ? -1 : undefined });
    if (did) line.classList.add(`past-cmp-${did}`, "past-cmp-differs");
    line.style.setProperty("--depth", depth);
    line.append(side(row.then, row, "then"), sign(did), side(row.now, row, "now"));
    return line;
  }

  /** Rows that are the same, folded. */
  folded(rows, depth) {
    const button = h("button.past-cmp-same", { type: "button" }, `${rows.length.toLocaleString("en")} the same`);
    button.style.setProperty("--depth", depth);
    button.onclick = () => button.parentElement.replaceWith(...rows.map((row) => this.line({ row, depth })));
    return h("div", { role: "listitem" }, button);
  }

  /** To the next difference, or the one before. */
  go(by) {
    const found = [...this.list.querySelectorAll(".past-cmp-differs")];
    if (!found.length) return;
    const focused = found.indexOf(document.activeElement);
    const at = (focused < 0 ? (by > 0 ? 0 : found.length - 1) : focused + by + found.length) % found.length;
    found[at].focus();
    found[at].scrollIntoView({ block: "nearest" });
  }
}

/** The rows that are to be seen, with their depth: ways to differences, differences, and runs of what is the same. */
function* flat(rows, all, depth = 0) {
  let same = [];
  for (const row of rows) {
    if (!differs(row) && !all) {
      same.push(row);
      continue;
    }
    if (same.length) yield { same, depth };
    same = [];
    yield { row, depth };
    yield* flat(row.kids, all, depth + 1);
  }
  if (same.length) yield { same, depth };
}

function differs(row) {
  row.differs ??= Boolean(row.did) || row.kids.some(differs);
  return row.differs;
}

function side(value, row, which) {
  const cell = h(`div.past-cmp-${which}`);
  if (!value) return cell;
  cell.append(h("span.past-cmp-name", {}, shownName(value.tokens.at(-1))), " ", h(`span.tree-value.tree-${value.type}`, {}, ...content(value)));
  const way = row.did === "left" ? `to ${said(row.to)}` : row.did === "move" && which === "now" ? from(row) : "";
  if (way) cell.append(" ", h("span.past-cmp-way", {}, way));
  return cell;
}

function from({ then, now }) {
  const [was, is] = [said(then.tokens), said(now.tokens)];
  return was === is ? "from another place among them" : `from ${was}`;
}

function said(tokens) {
  return tokens.map((token) => short(token)).join(" › ");
}

function content(value) {
  if (value.type === "object") return [`{ ${value.size} }`];
  if (value.type === "array") return [`[ ${value.size} ]`];
  if (value.type !== "text") return [spoken(value)];
  return [`“${value.value}${value.truncated ? "…" : ""}”`, value.truncated ? h("span.tree-tag.ui-chip", {}, bytes(value.bytes)) : ""];
}

function sign(did) {
  if (!did) return h("span.past-cmp-sign");
  return h("span.past-cmp-sign", { title: WORDS[did] }, h("span", { "aria-hidden": "true" }, SIGNS[did]), h("span.ui-unseen", {}, WORDS[did]));
}
