// The panel beside the tree: the chosen value with who wrote it, its history and what is gone from it, or the activity
// of all. It follows the focus in the tree, but reads only where the focus rests.

import { authorship } from "./blame.js";
import { concerns } from "./conflicts.js";
import { Deleted } from "./deleted.js";
import { ago } from "../../nola/lib/dates.js";
import { announce, h, icon } from "../../nola/lib/dom.js";
import { shownName } from "../../nola/lib/names.js";
import { PastValues } from "./past_values.js";

const REST = 250; // milliseconds that the focus must rest on a row before it is asked about
const CALM = 300; // milliseconds after a change until it is read
const OPEN = "nolaTreeActivity";
const TAB = "nolaTreePanel";

export class Panel {
  /** `app` is the tree page: tree, view, memory, actions, mine. */
  constructor(page, app) {
    const part = (name) => page.querySelector(`[data-part="${name}"]`);
    Object.assign(this, { page, app, aside: part("panel"), button: part("aside"), value: part("value") });
    this.tabs = { value: part("tab-value"), activity: part("tab-activity") };
    this.subject = null;
    this.reading = new AbortController();
    this.fill();
    this.button.onclick = () => this.open(!this.isOpen);
    part("shut").onclick = () => this.close();
    for (const [name, tab] of Object.entries(this.tabs)) tab.onclick = () => this.show(name);
    this.aside.addEventListener("keydown", (event) => this.key(event));
    new MutationObserver(() => this.look()).observe(page, { attributeFilter: ["data-past"] });
    setInterval(() => this.age(), 15_000);
  }

  fill() {
    this.title = h("h2.tp-title", { tabIndex: -1 });
    this.place = h("p.tp-place");
    this.all = h(
      "button.ui-link.tp-all",
      { type: "button", onclick: () => this.on(this.app.tree.root) },
      "Deleted keys",
    );
    this.who = h("div.tp-who");
    this.history = new PastValues(this);
    this.deleted = new Deleted(this);
    this.sections = {
      who: section("Who wrote it", this.who),
      deleted: this.deleted.element,
      history: section("History", this.history.element),
    };
    this.value.replaceChildren(
      h("header.tp-subject", {}, h("div.tp-named", {}, this.title, this.place), this.all),
      ...Object.values(this.sections),
    );
  }

  get isOpen() {
    return this.page.classList.contains("tree-with-activity");
  }

  /** The revision that the page shows, while it shows the past, in which nothing can be changed. */
  get past() {
    return this.page.dataset.past || undefined;
  }

  get isShown() {
    return this.isOpen && this.tab === "value";
  }

  start() {
    this.show(localStorage.getItem(TAB) === "value" ? "value" : "activity", false);
    const known = localStorage.getItem(OPEN) ?? (innerWidth > 1200 ? "1" : "0");
    this.open(known === "1" && innerWidth > 900, false);
  }

  // Opening and closing

  /** What the key does: open on the value, turn to it, or close. */
  toggle() {
    if (this.isShown) return this.close();
    this.show("value");
    this.open(true);
    return announce("Panel open. Tab leads into it, Escape back.");
  }

  open(open, remember = true) {
    this.page.classList.toggle("tree-with-activity", open);
    this.button.setAttribute("aria-expanded", String(open));
    if (remember) localStorage.setItem(OPEN, open ? "1" : "0");
    const row = this.app.view.current?.el?.firstChild;
    if (row) this.app.view.bringIntoSight(row); // on a phone there is less room for it now
    this.look();
  }

  close() {
    const hadFocus = this.aside.contains(document.activeElement);
    this.open(false);
    if (hadFocus) this.leave();
  }

  show(name, remember = true) {
    this.tab = name;
    for (const [one, tab] of Object.entries(this.tabs)) {
      tab.setAttribute("aria-selected", String(one === name));
      tab.tabIndex = one === name ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = one !== name;
    }
    if (remember) localStorage.setItem(TAB, name);
    this.look();
  }

  /** Open on a node, and go there. */
  enter(node = this.subject ?? this.app.tree.root) {
    if (node !== this.subject) this.on(node);
    this.show("value");
    this.open(true);
    this.title.focus();
  }

  leave() {
    if (this.app.view.current?.el) this.app.view.focus(this.app.view.current);
    else this.button.focus();
  }

  key(event) {
    if (event.key === "Escape") {
      this.leave();
      event.preventDefault();
    } else if (event.target.role === "tab" && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
      const other = event.target === this.tabs.value ? "activity" : "value";
      this.show(other);
      this.tabs[other].focus();
      event.preventDefault();
    }
  }

  // What it shows

  /** The focus is on a node now, or the root was asked for. */
  on(node) {
    if (node === this.subject) return;
    this.subject = node;
    this.look();
  }

  /** Read all about the subject, once the focus rests. Until then, and while it is read, what is shown is marked old. */
  look() {
    this.reading.abort();
    clearTimeout(this.resting);
    if (!this.isShown) return;
    this.value.classList.add("tp-old");
    this.resting = setTimeout(() => this.read(), REST);
  }

  async read() {
    const node = (this.subject ??= this.app.view.current ?? this.app.tree.root);
    const { signal } = (this.reading = new AbortController());
    const isRoot = Boolean(node.isRoot);
    this.name(node, isRoot);
    this.sections.who.hidden = this.sections.history.hidden = isRoot;
    this.deleted.on(node, signal);
    this.history.on(node);
    if (!isRoot) await Promise.all([this.readWho(node, signal), this.history.read(signal)]);
    if (!signal.aborted) this.value.classList.remove("tp-old");
  }

  name(node, isRoot) {
    const tokens = node.tokens.map(shownName);
    this.title.textContent = isRoot ? "All keys" : tokens.at(-1);
    this.place.textContent = isRoot ? "What was deleted, and can come back" : tokens.slice(0, -1).join(" › ");
    this.all.hidden = isRoot;
  }

  async readWho(node, signal) {
    await this.attempt(this.who, signal, async () => {
      const reveal = (tokens) => this.app.actions.reveal(tokens);
      const found = await authorship(node, { signal, at: this.past, me: this.app.memory.me, reveal });
      if (!signal.aborted) this.who.replaceChildren(...found);
    });
  }

  /** Read something, and say in its place why that did not go. What was not wanted any more is no failure. */
  async attempt(place, signal, read) {
    try {
      await read();
    } catch (error) {
      if (signal.aborted) return;
      place.replaceChildren(
        h("p.tp-problem", {}, icon("cloud_off"), this.app.reason(error)),
        h("button.ui-link", { type: "button", onclick: () => this.look() }, "Try again"),
      );
    }
  }

  /** A revision was applied: what is shown may be another now. */
  applied(event) {
    this.asking?.(event);
    if (!this.isShown || !this.subject) return;
    const { isRoot } = this.subject;
    if (!isRoot && !concerns(event, this.subject)) return;
    if (isRoot && !event.changes.some(({ kind }) => kind === "state")) return;
    clearTimeout(this.catching);
    this.catching = setTimeout(() => this.isShown && this.again(), CALM);
  }

  /** Read anew what has changed, and leave the rest as it is. */
  async again() {
    const { signal } = this.reading;
    const node = this.subject;
    if (signal.aborted) return;
    if (!node.isAttached) {
      this.on(this.app.tree.root); // it was the last key
      return;
    }
    this.name(node, node.isRoot);
    this.deleted.again(signal);
    if (!node.isRoot) await Promise.all([this.readWho(node, signal), this.history.read(signal)]);
  }

  /** The history is another one. */
  reset() {
    this.history.fill([], undefined);
    this.look();
  }

  age() {
    for (const time of this.value.querySelectorAll("time")) time.textContent = ago(time.dateTime);
  }
}

function section(title, content) {
  return h("section.tp-section", { "aria-label": title }, h("h3.tp-heading", {}, title), content);
}
