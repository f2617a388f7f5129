// What has happened lately: who changed what, newest first. Also who made a revision, for conflicts to say.

import { call } from "../../nola/lib/api.js";
import { author, nameActor } from "../../nola/lib/authors.js";
import { FEW, isRun } from "../changes/runs.js";
import { ago, when } from "../../nola/lib/dates.js";
import { count, h, icon } from "../../nola/lib/dom.js";
import { event_of } from "./feed.js";
import { member, parse, tokensOf } from "../../nola/lib/json.js";
import { shownName } from "../../nola/lib/names.js";
import { short, spoken } from "./told.js";

const KEPT = 60;
const AUTHORS = 1000; // of the last revisions, which a conflict may ask for
const SHOWN = 4; // changes of one revision

export class Activity {
  constructor(list, me, reveal) {
    Object.assign(this, { list, me, reveal, authors: new Map(), runs: [] });
    setInterval(() => this.age(), 15_000);
  }

  /** Fill it with the last revisions before this page was opened. */
  async open(revision) {
    const { text } = await call("GET", "/api/changes", { query: { since: Math.max(0, revision - 20), limit: 20 } });
    const events = member(parse(text), "revisions").items.map(event_of);
    for (const event of events.reverse()) if (event.revision <= revision) this.add(event, "append");
  }

  who(revision) {
    const actor = this.authors.get(revision);
    return actor ? nameActor(actor, this.me).name : "Somebody";
  }

  add(event, where = "prepend") {
    this.authors.set(event.revision, event.actor);
    if (this.authors.size > AUTHORS) this.authors.delete(this.authors.keys().next().value);
    const told = event.changes.flatMap(tell);
    if (!told.length) return;
    const { actor, source } = event;
    this.join({ actor, source, at: new Date(event.at), element: this.element(event, told) }, where === "prepend");
    const last = this.runs.at(-1);
    if (this.runs.reduce((sum, run) => sum + run.entries.length, 0) <= KEPT) return;
    last.entries.pop();
    this.draw(last);
    if (!last.entries.length) this.runs.pop();
  }

  /** Put an entry into the run that it goes on, or into one of its own. */
  join(entry, isNew) {
    const next = this.runs.at(isNew ? 0 : -1);
    const many = next?.entries.length;
    const goesOn = next && (isNew ? isRun(entry, next.entries[0], many) : isRun(next.entries.at(-1), entry, many));
    const run = goesOn ? next : { entries: [], place: h("li", { hidden: true }), items: [] };
    if (!goesOn) this.runs[isNew ? "unshift" : "push"](run);
    if (!goesOn) this.list[isNew ? "prepend" : "append"](run.place);
    run.entries[isNew ? "unshift" : "push"](entry);
    this.draw(run);
  }

  /** The changes of a run each for itself, or from a few on as one: the newest, and those before it on demand. */
  draw(run) {
    const { entries, place, items } = run;
    const isOpen = items[0]?.querySelector("details")?.open ?? false;
    const kind = `li.tree-act.tree-by-${nameActor(entries[0]?.actor ?? "", this.me).kind}`;
    run.items = (entries.length < FEW ? entries.map((one) => [one]) : [entries]).map(([newest, ...before]) =>
      h(kind, {}, newest.element, before.length ? this.before(before, isOpen) : undefined),
    );
    for (const item of items) item.remove();
    place.before(...run.items);
    if (!entries.length) place.remove();
  }

  before(entries, isOpen) {
    const details = h(
      "details.tree-act-before",
      {},
      h("summary.ui-soft", {}, `and ${count(entries.length, "change", "changes")} before`),
      ...entries.map(({ element }) => element),
    );
    details.open = isOpen;
    return details;
  }

  element(event, told) {
    const lines = told.slice(0, SHOWN).map((one) => this.line(one));
    if (told.length > SHOWN) lines.push(h("div.tree-act-line.ui-soft", {}, `and ${told.length - SHOWN} more`));
    return h(
      "div.tree-act-one",
      {},
      h(
        "div.tree-act-who",
        {},
        icon(nameActor(event.actor, this.me).icon),
        h("strong", {}, author(event.actor, this.me)),
        when(event.at, { isAgo: true }),
      ),
      ...lines,
      ...(event.reason ? [h("div.tree-act-why.ui-why", {}, event.reason)] : []),
    );
  }

  line({ did, tokens, value, from }) {
    const path = h(
      "button.tree-act-path",
      { type: "button", title: "Show it in the tree", onclick: () => this.reveal(tokens) },
      tokens.map(shownName).join(" › "),
    );
    const what = value
      ? [h(`span.tree-value.tree-${value.type}`, {}, value.type === "text" ? short(value.text) : spoken(value))]
      : [];
    return h(
      "div.tree-act-line",
      {},
      h("span.ui-soft", {}, did),
      " ",
      path,
      " ",
      ...what,
      ...(from ? [h("span.ui-soft", {}, `from ${from}`)] : []),
    );
  }

  age() {
    for (const time of this.list.querySelectorAll("time")) time.textContent = ago(time.dateTime);
  }
}

/** What a change did, in words. */
function tell({ kind, key, ops }) {
  if (kind !== "state") return [];
  if (!ops) return [{ did: "changed much in", tokens: [key] }];
  return ops.map((op) => {
    const tokens = [key, ...tokensOf(op.path)];
    const from = op.from && op.from !== op.path ? [key, ...tokensOf(op.from)].slice(-1)[0] : undefined;
    return {
      did: { add: "added", remove: "removed", replace: "set", move: from ? "moved" : "reordered" }[op.op],
      tokens,
      value: op.value,
      from,
    };
  });
}
