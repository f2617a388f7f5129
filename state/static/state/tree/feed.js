// The change feed, once for all tabs: browsers open six connections to a server, and a stream holds one for good.
// Of the visible tabs the one that has the lock reads the stream and passes it on. Every event carries its revision,
// and revisions have no gaps: whoever misses one notices it at the next, and fetches what is missing.

import { Problem, call, pause } from "../../nola/lib/api.js";
import { member, parse, plain, write } from "../../nola/lib/json.js";

const CHANGES = "/api/changes";
const NAME = "nola-changes";
const WAIT = 25; // seconds that a server holds a poll
const POLLS = 20; // polls before a stream is tried again, where there is none
const BEAT = 5000; // milliseconds between signs of life of the reading tab
const PAUSES = [200, 500, 1000, 2000, 4000];

export class Feed {
  /** `on.event(event)` gets every revision once and in order, `on.reset(revision)` is told when the history is another
   *  one, `on.status(status)` is "live", "away" (hidden), "lost" or "out" (signed out). */
  constructor(on) {
    this.on = on;
    this.last = 0;
    this.epoch = "";
    this.pulling = null;
    this.stop = null;
  }

  start(revision) {
    this.last = revision;
    document.addEventListener("visibilitychange", () => this.attend());
    addEventListener("online", () => this.renew());
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", () => this.attend());
    this.watch();
    this.attend();
  }

  /** Follow while the page is seen: a hidden one catches up when it is looked at again. */
  attend() {
    if (document.visibilityState === "hidden") this.leave();
    else if (!this.stop) this.join();
  }

  join() {
    const stop = (this.stop = new AbortController());
    this.heard = Date.now();
    this.channel = new BroadcastChannel(NAME);
    this.channel.onmessage = ({ data }) => this.hear(data);
    const lead = () => this.lead(stop.signal);
    // without locks (plain http on a network) every tab reads a stream of its own
    const led = navigator.locks ? navigator.locks.request(NAME, { signal: stop.signal }, lead) : lead();
    led.catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
    this.pull().then(
      () => this.on.status("live"),
      () => this.on.status("lost"),
    );
  }

  leave() {
    this.stop?.abort();
    this.stop = null;
    this.channel?.close();
    this.channel = null;
    this.on.status("away");
  }

  renew() {
    if (!this.stop) return;
    this.leave();
    this.attend();
  }

  /** Notice that the machine has slept, and that the tab that reads says nothing any more. */
  watch() {
    let then = Date.now();
    setInterval(() => {
      const now = Date.now();
      if (now - then > 4 * BEAT) this.renew();
      else if (this.stop && now - this.heard > 3 * BEAT) this.pull().catch(() => this.on.status("lost"));
      then = now;
    }, BEAT);
  }

  get cursor() {
    return this.epoch ? `${this.epoch}:${this.last}` : String(this.last);
  }

  // What comes in

  hear(data) {
    this.heard = Date.now();
    if (data.text) this.take(data.epoch, parse(data.text), data.text);
    else if (data.reset !== undefined) this.reset(data.reset);
    else {
      this.on.status(data.status);
      if (data.last > this.last) this.pull().catch(() => this.on.status("lost"));
    }
  }

  take(epoch, value, text) {
    const event = event_of(value);
    if (event.revision <= this.last && (!this.epoch || epoch === this.epoch)) return;
    if (event.revision > this.last + 1) {
      this.pull().catch(() => this.on.status("lost"));
      return;
    }
    this.epoch = epoch;
    this.last = event.revision;
    if (this.leads) this.tell({ epoch, text: text ?? write(value) });
    this.on.event(event);
  }

  reset(cursor) {
    const [epoch, seq] = cursor.split(":");
    if (epoch === this.epoch && Number(seq) === this.last) return;
    this.epoch = epoch;
    this.last = Number(seq);
    if (this.leads) this.tell({ reset: cursor });
    this.on.reset(this.last);
  }

  tell(message) {
    this.heard = Date.now();
    this.channel?.postMessage(message);
  }

  /** Fetch what has happened since the last event. Throws what `call` throws. */
  pull(wait = undefined, signal = undefined) {
    if (wait) return this.page(wait, signal);
    this.pulling ??= this.page().finally(() => (this.pulling = null));
    return this.pulling;
  }

  async page(wait, signal) {
    try {
      let more = true;
      while (more) {
        const { text } = await call("GET", CHANGES, { query: { since: this.cursor, limit: 500, wait }, signal });
        const page = parse(text);
        const epoch = plain(member(page, "cursor")).split(":")[0];
        for (const value of member(page, "revisions").items) this.take(epoch, value);
        this.epoch ||= epoch;
        more = !wait && plain(member(page, "more"));
      }
    } catch (error) {
      if (error instanceof Problem && error.isSignedOut) this.on.status("out");
      if (!(error instanceof Problem && error.status === 410)) throw error;
      this.reset(error.cursor);
    }
  }

  // The tab that reads

  /** Read until the signal: as a stream, or by waiting where no stream is to be had. */
  async lead(signal) {
    this.leads = true;
    const beat = setInterval(() => this.say(this.status), BEAT);
    for (let failures = 0; !signal.aborted;) {
      const went = await this.stream(signal);
      if (signal.aborted) break;
      failures = went ? 0 : failures + 1;
      if (await this.answers(signal)) {
        if (!went) await this.poll(signal);
      } else {
        await pause(PAUSES[Math.min(failures, PAUSES.length - 1)]);
      }
    }
    clearInterval(beat);
    this.leads = false;
  }

  say(status) {
    this.status = status;
    this.on.status(status);
    this.tell({ status, last: this.last });
  }

  /** Whether the server answers at all; catches up on the way. */
  async answers(signal) {
    try {
      await this.pull();
      return true;
    } catch (error) {
      if (!signal.aborted) this.say(error instanceof Problem && error.isSignedOut ? "out" : "lost");
      return false;
    }
  }

  /** One stream to its end. Returns whether it ever began. */
  stream(signal) {
    return new Promise((done) => {
      const source = new EventSource(`${CHANGES}?since=${encodeURIComponent(this.cursor)}`);
      let began = false;
      const end = () => {
        source.close();
        done(began);
      };
      signal.addEventListener("abort", end);
      source.onopen = () => {
        began = true;
        this.say("live");
      };
      source.onmessage = ({ data, lastEventId }) => this.take(lastEventId.split(":")[0], parse(data), data);
      source.addEventListener("reset", ({ data }) => this.reset(JSON.parse(data).cursor));
      source.addEventListener("bye", end);
      source.onerror = end; // we come back ourselves, with the cursor we have
    });
  }

  async poll(signal) {
    for (let polls = 0; polls < POLLS && !signal.aborted; polls += 1) {
      this.say("live");
      try {
        await this.pull(WAIT, signal);
      } catch {
        return;
      }
    }
  }
}

/** An event of the feed: who, when and why as they are, the patches exactly. */
export function event_of(value) {
  const { changes, ...rest } = Object.fromEntries(value.members);
  return {
    ...plain({ type: "object", members: Object.entries(rest) }),
    changes: changes.items.map((change) => ({
      kind: plain(member(change, "kind")),
      key: plain(member(change, "key")),
      patch: member(change, "patch"),
      ops: member(change, "patch")?.items?.map(op_of),
    })),
  };
}

/** An operation: its values exactly, the rest plain. */
export function op_of(op) {
  const rest = op.members.filter(([name]) => name !== "value" && name !== "was");
  return { ...plain({ type: "object", members: rest }), value: member(op, "value"), was: member(op, "was") };
}
