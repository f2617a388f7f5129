// The history in pages, newest first, and what is new since: entries, small enough to keep many thousands of them.

import { call } from "../../nola/lib/api.js";
import { member, parse, plain, write } from "../../nola/lib/json.js";

const HISTORY = "/api/history";
const PAGE = 100; // revisions asked for at once
const MOST_NEW = 5; // pages of news; of more than that the list is read anew

/** What is shown for a filter {actor, source, key, reason, batch, since, until}. Its calls throw what `call` throws. */
export class Source {
  constructor(filter) {
    this.filter = filter;
    this.next = this.query(filter);
    this.head = undefined; // the newest revision that has been asked for
  }

  get isDone() {
    return !this.next;
  }

  /** Whether something that happens now would be shown. */
  get isOpen() {
    return !this.filter.until;
  }

  query(filter) {
    const given = Object.entries(filter).filter(([, value]) => value !== undefined && value !== "");
    return { was: true, limit: PAGE, ...Object.fromEntries(given) };
  }

  /** The next older entries; where matches are rare there may be none, and still more to come. */
  async older() {
    const { entries, revision, next } = await page(this.next);
    this.head ??= revision;
    this.next = next;
    return entries;
  }

  /** The entries since the last look, newest first; undefined if they are too many to be put on top of the others. */
  async newer() {
    const found = [];
    let head = this.head;
    let query = this.query({ ...this.filter, since: this.head });
    for (let pages = 0; query; pages += 1) {
      if (pages === MOST_NEW) return undefined;
      const { entries, revision, next } = await page(query);
      if (!pages) head = revision;
      found.push(...entries);
      query = next;
    }
    this.head = head;
    return found;
  }
}

async function page(query) {
  const { text, revision, next } = await call("GET", HISTORY, { query });
  return { entries: member(parse(text), "revisions").items.map(entry_of), revision, next };
}

/** One revision: who, when and why, how much it changed of what, and the changes as text, to be parsed when shown. */
export function entry_of(value) {
  const said = (name) => plain(member(value, name) ?? { type: "null" });
  const changes = member(value, "changes");
  return {
    seq: said("revision"),
    at: new Date(said("at")),
    actor: said("actor"),
    source: said("source"),
    reason: said("reason"),
    info: said("info") ?? {},
    total: said("total"),
    ...amounts(changes.items),
    text: write(changes),
  };
}

/** How many places of each key, and how many messages of each conversation. */
function amounts(changes) {
  const [state, talk, acts] = [new Map(), new Map(), new Set()];
  let whole; // what a change of a whole key did, if that is all there is
  for (const change of changes) {
    const [kind, key] = ["kind", "key"].map((name) => plain(member(change, name)));
    const patch = member(change, "patch");
    if (kind === "state") {
      state.set(key, (state.get(key) ?? 0) + (patch?.items?.length ?? 1));
      const [op] = patch?.items ?? [];
      if (changes.length === 1 && patch?.items.length === 1 && !plain(member(op, "path"))) whole = plain(member(op, "op"));
    } else if (kind !== "redaction") talk.set(key, (talk.get(key) ?? 0) + (kind === "message" ? messages(patch, acts) : 0));
  }
  return { state, talk, acts, whole };
}

/** How many messages a change is about; what is done to them is added to `acts`. */
function messages(patch, acts) {
  let sum = 0;
  for (const name of ["add", "remove", "set"]) {
    const some = member(patch ?? {}, name);
    if (some) acts.add(name);
    sum += some?.items?.length ?? some?.members?.length ?? 0;
  }
  return sum;
}
