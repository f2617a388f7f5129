// The tree as it was, or as the model sees it at a level: another source for the same rows. Nothing can be changed there
// and nothing comes in by itself; what happens meanwhile is counted, and taken in on the way back to now.

import { Problem, pause } from "../../nola/lib/api.js";
import { announce, count, h, icon } from "../../nola/lib/dom.js";
import { fill, look, openness } from "./glimpse.js";
import { pointerOf, tokensOf } from "../../nola/lib/json.js";
import { Marks } from "./marks.js";
import { Bar } from "./pastbar.js";

const REST = 25; // milliseconds in which a newer wish takes the place of one
const PATIENCE = 300; // milliseconds without anything new to see, after which an overtaken read may come to its end
const AGAIN = 400; // milliseconds after a change until a level is read again
const READING = new Set(["copy", "path", "download", "history", "menu", "open"]);
const MOST_LATER = 20; // nodes that are opened after the others, where one answer did not hold all
const SEEN_AT = ["", "realtime", "conversational", "analytical"];

export class Past {
  /** `app` has view, tree, memory, actions, tools, filter, mine; `moments` those one can go back to. */
  constructor(app, page, moments) {
    Object.assign(this, { app, page, moments, at: undefined, level: 0, newer: 0, wish: 0, served: 0, open: new Set() });
    this.marks = new Marks(app);
    this.listeners = [];
    this.bar = new Bar(this, page);
    this.banner = page.querySelector("[data-part=banner]");
    app.tools.isOff = (name) => this.isOn && (!READING.has(name) || (name === "history" && this.level > 0));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  get isOn() {
    return Boolean(this.app.memory.lens);
  }

  /** How the address says what is shown. */
  get suffix() {
    const parts = { at: this.at, level: this.level || undefined, with: this.other };
    return Object.entries(parts)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `&${name}=${value}`)
      .join("");
  }

  /** Call `act()` whenever something else is shown. */
  whenShown(act) {
    this.listeners.push(act);
  }

  // What is wished for

  /** Show all as it was at a revision (undefined: as it is now), at a level (0: all of it). The newest wish wins. */
  see(at, level = this.level) {
    if (!this.isOn && !this.serving && (at !== undefined || level) && !this.mayLeave()) return Promise.resolve();
    const was = this.suffix;
    Object.assign(this, { at, level });
    if (at === undefined || level) this.compare?.close();
    this.address(was);
    this.bar.draw();
    this.wish += 1;
    if (performance.now() - this.shownAt < PATIENCE) this.stop?.abort();
    this.serving ??= this.serve().finally(() => (this.serving = null));
    return this.serving;
  }

  /** What is being typed must be ended first. */
  mayLeave() {
    const { actions } = this.app;
    actions.opening.giveUp();
    actions.session?.submit(false);
    if (!actions.session) return true;
    this.app.mine.say("First save or cancel what you are editing.");
    actions.session.input.focus();
    return false;
  }

  async serve() {
    while (this.served !== this.wish) {
      await pause(REST);
      const { wish } = this;
      this.stop = new AbortController();
      try {
        await this.read(this.at, this.level, this.stop.signal);
        this.served = wish;
      } catch (error) {
        if (error.name === "AbortError") continue;
        this.served = wish;
        await this.failed(error);
      }
    }
    this.stop = null;
  }

  async read(at, level, signal) {
    const lens = at === undefined && !level ? null : { query: { at, level: level || undefined } };
    const event = at === undefined || level ? undefined : this.moments.event(at, signal).catch(() => undefined);
    const { memory, tree } = this.app;
    const { open } = openness(tree);
    const wanted = this.remember();
    const limit = Math.max(0, ...open.map((tokens) => tree.find(tokens)?.prefix ?? 0));
    const { order } = tree;
    const answer = await look(lens, wanted, limit, signal, order);
    const what = await event;
    if (order !== tree.order) return this.read(at, level, signal);
    if (signal.aborted) throw new DOMException("overtaken", "AbortError");
    if (lens && !memory.lens) await memory.wear(lens);
    return this.show(lens, answer, what);
  }

  /** What shall be open at any moment in which it is there: what is open now, and was before where it is not there. */
  remember() {
    const { open, closed } = openness(this.app.tree);
    for (const tokens of open) this.open.add(pointerOf(tokens));
    for (const tokens of closed) this.open.delete(pointerOf(tokens));
    return [...this.open].map(tokensOf);
  }

  show(lens, { view, revision }, event) {
    const { memory, view: list, tree } = this.app;
    const wanted = this.remember();
    const inList = list.list.contains(document.activeElement);
    this.filling = true;
    this.marks.clear();
    if (lens) memory.lens = lens;
    list.batch(() => fill(tree, view, wanted));
    if (!lens) memory.wearNone(revision);
    this.choose(inList);
    this.filling = false;
    this.shownAt = performance.now();
    this.event = event;
    this.settle(lens, revision);
    this.marks.show(event);
    this.later(wanted);
  }

  /** Say on the page what is shown. */
  settle(lens, revision) {
    const { page } = this;
    const at = lens?.query.at;
    if (at === undefined) delete page.dataset.past;
    else page.dataset.past = String(revision);
    if (lens?.query.level) page.dataset.seen = String(lens.query.level);
    else delete page.dataset.seen;
    if (at === undefined) this.newer = 0;
    page.classList.toggle("past-on", Boolean(lens));
    for (const button of page.querySelectorAll("[data-part=new], [data-part=first]")) button.disabled = Boolean(lens);
    this.tell();
    this.app.filter.changed();
    for (const act of this.listeners) act(event);
  }

  /** Keep the chosen row, as far as it is there; where it is not, it is chosen again when it is. */
  choose(take) {
    const { view, tree } = this.app;
    const node = this.chosen && tree.find(this.chosen);
    this.isMissing = Boolean(this.chosen?.length && !node);
    if (node?.el && node !== view.current) view.focus(node, { take, scroll: false });
    else if (!view.current?.el) view.focus(tree.root.kids?.[0], { take: false, scroll: false });
  }

  /** The owner has chosen a row. */
  chose(tokens) {
    if (!this.filling) this.chosen = tokens;
  }

  /** Open what did not fit in, or was opened while the answer was on its way. */
  later(wanted) {
    const closed = wanted.map((tokens) => this.app.tree.find(tokens)).filter((one) => one?.el && !one.open && one.size);
    for (const node of closed.slice(0, MOST_LATER)) this.app.run("open", node);
  }

  async failed(error) {
    if (!(error instanceof Problem) && error.name !== "TypeError") throw error;
    if (error.status === 410) return this.isGone(error);
    const text = error.status ? error.message : "The server does not answer. What you see is the moment before.";
    this.app.mine.say(text, [["Try again", () => this.see(this.at, this.level)]], 0);
    return undefined;
  }

  /** A revision that a backup, put back, does not have: the moment before it is shown. */
  async isGone() {
    const asked = this.at;
    this.moments.forget();
    await this.moments.load();
    const place = this.moments.place(asked);
    this.app.mine.say(
      `Change ${asked} is gone: it was made after the backup that has been put back since. This is the moment before it.`,
      [],
      0,
    );
    this.see(place < 0 ? undefined : this.moments.revisions[place]);
  }

  /** Which moment the shown one is compared with: a revision, "now", or undefined for none. */
  setOther(other) {
    const was = this.suffix;
    this.other = other;
    this.address(was);
    this.bar.draw();
  }

  // Ways through time

  /** Open the bar, or close it and be back at now. */
  async toggle() {
    if (this.bar.isOpen) return this.close();
    await this.openBar();
    this.bar.slider.focus();
    return undefined;
  }

  async openBar() {
    this.bar.open();
    try {
      await this.moments.load();
    } catch (error) {
      await this.failed(error);
    }
    this.bar.draw();
  }

  close() {
    this.bar.close();
    return this.see(undefined);
  }

  /** Where the slider stands: the last place is now, the one before it the newest change. */
  get place() {
    return this.at === undefined ? this.moments.count : this.moments.place(this.at);
  }

  to(place) {
    const { revisions } = this.moments;
    return this.see(revisions[Math.max(0, place)]);
  }

  step(by) {
    return this.to(Math.max(0, Math.min(this.moments.count, this.place + by)));
  }

  back() {
    return this.see(undefined, 0);
  }

  /** A change that is not shown, because something else is. */
  missed(event) {
    if (!event.changes.some(({ kind }) => kind === "state")) return;
    this.newer += 1;
    this.bar.draw();
    if (this.at !== undefined || !this.level) return;
    clearTimeout(this.again);
    this.again = setTimeout(() => this.at === undefined && this.level && this.see(undefined), AGAIN);
  }

  /** The history is another one. */
  async reset() {
    this.moments.forget();
    if (this.bar.isOpen) await this.openBar();
    if (this.isOn) this.see(this.at);
  }

  // What is said

  /** Whether a command would change something, which cannot be done here; then it is said why. */
  refuses(name) {
    if (!this.app.tools.isOff(name)) return false;
    this.app.mine.say(`${this.why} cannot be edited.`, [[this.level ? "Show all, as it is now" : "Back to now", () => this.back()]]);
    return true;
  }

  get why() {
    return this.at === undefined ? `What is seen at level ${this.level}` : "The past";
  }

  tell() {
    const { at, level, banner } = this;
    this.app.tools.why = this.isOn ? `${this.why} cannot be edited` : undefined;
    banner.hidden = !this.isOn;
    if (!this.isOn) return void announce("This is now again");
    const place = this.moments.place(at);
    const when = at === undefined ? "As it is now" : place < 0 ? `As it was at change ${at}` : `As it was on ${this.bar.when(place)}`;
    const text = level ? `${when}, as the model sees it at level ${level} (${SEEN_AT[level]})` : when;
    banner.replaceChildren(
      icon(at === undefined ? "visibility" : "history"),
      h("span.past-banner-text", {}, h("strong", {}, text), h("span", {}, " · to look at, not to edit")),
      ...(this.isMissing ? [h("span.past-missing", {}, `${this.chosen.at(-1)} is not there`)] : []),
      h("button.ui-link.past-leave", { type: "button", onclick: () => this.back() }, level ? "Show all, now" : "Back to now"),
    );
    announce(this.bar.isOpen ? "" : text);
    this.bar.draw();
    return undefined;
  }

  get newerText() {
    return this.newer && this.at !== undefined ? count(this.newer, "newer change", "newer changes") : "";
  }

  // The address and the keyboard

  address(was) {
    if (was === this.suffix) return;
    const [pointer] = location.hash.split(/&(?=\w+=)/);
    const isStep = Boolean(was) && Boolean(this.suffix);
    clearTimeout(this.addressing); // browsers refuse too many changes of the address
    const write = (how) => history[how](null, "", `${pointer || "#"}${this.suffix}`);
    if (isStep) this.addressing = setTimeout(() => write("replaceState"), 250);
    else if (this.following) write("replaceState");
    else write("pushState");
  }

  /** Show what the address says. */
  async follow(address = location) {
    const { at, level, other } = asked(address);
    if (at === this.at && level === this.level && other === this.other) return;
    this.following = true;
    if (location.search) history.replaceState(null, "", `${location.pathname}${location.hash}`);
    if (at !== undefined) await this.openBar();
    const seen = this.see(at, level);
    if (other !== undefined) this.compare.open(other);
    else this.compare.close();
    this.following = false;
    await seen;
  }

  key(event) {
    const typing = event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable], dialog, [popover]");
    if (typing || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      h: () => this.toggle(),
      "[": () => this.openAnd(-1),
      "]": () => this.openAnd(1),
      "{": () => this.openAnd(-10),
      "}": () => this.openAnd(10),
      l: () => this.see(this.at, (this.level + 1) % 4),
      Escape: this.isOn ? () => this.back() : undefined,
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  async openAnd(by) {
    if (!this.bar.isOpen) await this.openBar();
    return this.step(by);
  }
}

/** What an address asks for: {at, level, other}. */
export function asked({ hash, search }) {
  const inHash = Object.fromEntries(hash.split(/&(?=\w+=)/).slice(1).map((part) => part.split("=")));
  const inQuery = Object.fromEntries(new URLSearchParams(search));
  const { at, level, with: other } = { ...inQuery, ...inHash };
  const whole = (text) => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : undefined);
  return { at: whole(at), level: /^[123]$/.test(level ?? "") ? Number(level) : 0, other: other === "now" ? other : whole(other) };
}
