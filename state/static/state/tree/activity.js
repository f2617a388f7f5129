// What has happened lately: who changed what, newest first. Also who made a revision, for conflicts to say.

import { call } from "../../nola/lib/api.js";
import { ago, h, icon, person } from "../../nola/lib/dom.js";
import { event_of } from "./feed.js";
import { member, parse, tokensOf } from "../../nola/lib/json.js";
import { shownName } from "../../nola/lib/names.js";
import { short, spoken } from "./told.js";

const KEPT = 60;
const SHOWN = 4; // changes of one revision

export class Activity {
  constructor(list, me, reveal) {
    Object.assign(this, { list, me, reveal, authors: new Map() });
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
    return actor ? person(actor, this.me).name : "Somebody";
  }

  add(event, where = "prepend") {
    this.authors.set(event.revision, event.actor);
    const told = event.changes.flatMap(tell);
    if (!told.length) return;
    const { name, kind } = person(event.actor, this.me);
    const lines = told.slice(0, SHOWN).map((one) => this.line(one));
    if (told.length > SHOWN) lines.push(h("div.tree-act-line.ui-soft", {}, `and ${told.length - SHOWN} more`));
    const item = h(
      `li.tree-act.tree-by-${kind}`,
      {},
      h(
        "div.tree-act-who",
        {},
        icon({ agent: "smart_toy", nola: "settings", person: "person", you: "person" }[kind]),
        h("strong", {}, name),
        h("time", { dateTime: event.at, title: new Date(event.at).toLocaleString() }, ago(event.at)),
      ),
      ...lines,
      ...(event.reason ? [h("div.tree-act-why.ui-why", {}, event.reason)] : []),
    );
    this.list[where](item);
    while (this.list.children.length > KEPT) this.list.lastChild.remove();
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
