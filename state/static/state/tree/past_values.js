// The history of the chosen value: every change of it, the newest first, told as what was and what came, with ways to
// put a former value back and to undo one change.

import { told } from "../changes/changes.js";
import { undo } from "../changes/undo.js";
import { about, call } from "../../nola/lib/api.js";
import { who } from "./blame.js";
import { count, h, icon } from "../../nola/lib/dom.js";
import { member, parse, pointerOf, tokensOf } from "../../nola/lib/json.js";
import { change_of } from "./node_change.js";
import { Pages, onward } from "./pages.js";
import { putBack } from "./restore.js";

const HISTORY = "/api/history";
const ACTIVITY = "/admin/activity/";
const PAGE = 20;
const FAR = 50; // pages without anything that are passed over at once

export class PastValues extends Pages {
  constructor(panel) {
    super(panel, "ol.tp-past", "Older");
    this.all = h("a.tp-activity-of", {});
    this.element = h("div", {}, this.list, this.failed, this.more, this.all);
    this.changes = [];
  }

  /** Be about a node, now or at a moment of the past. */
  on(node) {
    const { past } = this.panel;
    if (node === this.node && past === this.past) return;
    Object.assign(this, { node, past });
    const [key] = node.tokens;
    this.all.hidden = key === undefined;
    this.all.href = `${ACTIVITY}#${new URLSearchParams({ key: key ?? "" })}`;
    this.all.textContent = `All activity in ${key}`;
    this.fill([], undefined);
  }

  /** Read the newest, or all anew where what is known does not reach so far. */
  read(signal) {
    return this.panel.attempt(this.failed, signal, async () => {
      const asked = about(HISTORY, this.node.tokens, { limit: PAGE, was: true, brief: true, at: this.past });
      const { changes, next } = await this.page(asked, signal);
      if (signal.aborted) return;
      this.failed.replaceChildren();
      const known = this.changes.filter(({ revision }) => !changes.some((one) => one.revision === revision));
      if (known.length < this.changes.length) this.fill([...changes, ...known], this.next);
      else this.fill(changes, next);
    });
  }

  async older() {
    const { signal } = this.panel.reading;
    this.more.disabled = true;
    await this.panel.attempt(this.failed, signal, async () => {
      const { changes, next } = await this.page(this.next, signal);
      if (!signal.aborted) this.fill([...this.changes, ...changes], next);
    });
    this.more.disabled = false;
  }

  /** A page that has something, or the end: {changes, next}, where `next` is what is to be asked for the one after it. */
  async page({ path, query }, signal) {
    const { found, next } = await onward(query, FAR, async (asked) => {
      const answer = await call("GET", path, { query: asked, signal });
      return { found: member(parse(answer.text), "revisions").items.map(change_of), next: answer.next };
    });
    return { changes: found, next: next && { path, query: next } };
  }

  /** Show changes. What stands there already stays the element it is, so that nobody loses their place. */
  fill(changes, next) {
    const known = new Map(this.changes.map((change) => [change.revision, change]));
    this.changes = changes.map((change) => known.get(change.revision) ?? Object.assign(change, this.item(change)));
    const items = this.changes.map(({ item }) => item);
    for (const item of [...this.list.children]) if (!items.includes(item)) item.remove();
    items.forEach((item, at) => {
      const there = this.list.children[at];
      if (there !== item) this.list.insertBefore(item, there ?? null);
    });
    this.changes.forEach((change, at) => this.update(change, at));
    this.next = next;
    this.more.hidden = !next;
  }

  item(change) {
    const place = h("p.tp-note", { hidden: true });
    const acts = h("div.tp-acts");
    const item = h("li.tp-change", {}, ...who(change, this.panel.app.memory.me), place, ...this.told(change), acts);
    return { item, place, acts };
  }

  /** What a change did, in words. */
  told({ ops, total, from, left }) {
    const { tokens } = this.node;
    const named = (pointer) => [tokens[0], ...tokensOf(pointer)].join(" › ");
    const note = (text) => h("p.tp-note", {}, icon("moving"), text);
    if (!ops)
      return [h("p.tp-note", {}, `A large change (${count(total, "place", "places")}), too long to be shown here`)];
    const reveal = (place) => this.panel.app.actions.reveal(place);
    return [
      ...(from === undefined ? [] : [note(`came from ${named(from)}`)]),
      ...left.map((op) => note(`${tokensOf(op.from).at(-1)} went to ${named(op.path)}`)),
      ...(ops.length ? [told([[tokens[0], ops]], { reveal, at: tokens })] : []),
    ];
  }

  /** What depends on where the node is now, and on what came after. */
  update(change, at) {
    const { place, acts, pointer } = change;
    const here = pointerOf(this.node.tokens.slice(1));
    place.hidden = pointer === here;
    place.replaceChildren(icon("moving"), `was at ${[this.node.tokens[0], ...tokensOf(pointer)].join(" › ")}`);
    if (change.isNewest === (at === 0)) return;
    change.isNewest = at === 0;
    acts.replaceChildren(...(this.past ? [] : this.ways(change)));
  }

  ways(change) {
    const way = (label, act) =>
      h(
        "button.ui-link",
        { type: "button", "aria-label": `${label} (change ${change.revision})`, onclick: act },
        label,
      );
    const back = way("Put this value back …", () => putBack(this.panel, this.node, change));
    const take = way("Undo this change …", () => this.undo(change));
    if (change.isNewest) return [h("span.tp-now", {}, "The value now"), take];
    return change.took ? [take] : [back, take];
  }

  async undo({ revision }) {
    const made = await undo({ revision }, { title: `Undo change ${revision}` });
    if (made) this.panel.app.mine.did(made, `undo of change ${revision}`);
  }
}
