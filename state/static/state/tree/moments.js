// The moments one can go back to: every revision that changed something in the tree, with its time and author, oldest
// first. They come packed and all at once, so that sliding over ten thousand of them asks the server for nothing.

import { call } from "../../nola/lib/api.js";
import { event_of } from "./feed.js";
import { member, parse } from "../../nola/lib/json.js";

const KEPT = 200; // events

export class Moments {
  constructor(address) {
    Object.assign(this, { address, revisions: [], seconds: [], actors: [], events: new Map(), loading: null });
  }

  get count() {
    return this.revisions.length;
  }

  /** Load them, once; `until` a revision that is older than the ones that are here. */
  load() {
    this.loading ??= this.fetch().catch((error) => {
      this.loading = null;
      throw error;
    });
    return this.loading;
  }

  async fetch(until = undefined) {
    const { revisions, seconds, by, actors, more } = JSON.parse((await call("GET", this.address, { query: { until } })).text);
    this.revisions = summed(revisions);
    this.seconds = summed(seconds);
    this.actors = by.map((place) => actors[place]);
    this.isCut = more;
  }

  /** A revision that has just been made. */
  add({ revision, at, actor, changes }) {
    if (!this.loading || revision <= (this.revisions.at(-1) ?? 0)) return;
    if (!changes.some(({ kind }) => kind === "state")) return;
    this.revisions.push(revision);
    this.seconds.push(Math.floor(new Date(at) / 1000));
    this.actors.push(actor);
  }

  /** The place of the last moment that is not after a revision, -1 where there is none. */
  place(revision) {
    return last(this.revisions, revision);
  }

  /** The place of the last moment that is not after a time. */
  placeAt(seconds) {
    return last(this.seconds, seconds);
  }

  /** Since when nothing changed any more in the tree: the moment itself, or the last one before. */
  settled(revision) {
    return this.revisions[this.place(revision)];
  }

  /** What happened in a revision; undefined where it is not there. */
  async event(revision, signal) {
    if (!this.events.has(revision)) {
      const { text } = await call("GET", "/api/changes", { query: { since: revision - 1, limit: 1 }, signal });
      const [value] = member(parse(text), "revisions").items;
      const event = value && event_of(value);
      if (event?.revision !== revision) return undefined;
      this.events.set(revision, event);
      if (this.events.size > KEPT) this.events.delete(this.events.keys().next().value);
    }
    return this.events.get(revision);
  }

  /** Begin anew: the history is another one. */
  forget() {
    this.loading = null;
    this.events.clear();
  }
}

function summed(steps) {
  let sum = 0;
  return steps.map((step) => (sum += step));
}

/** The place of the last of ascending numbers that is at most `most`. */
function last(numbers, most) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= most) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
