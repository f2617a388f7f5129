// The memory in this tab: the tree as the server has it at `revision`, kept so by the feed, with reads that fit in
// between and writes that are made on what is seen. Reads and the feed meet at a revision: events wait while a read is
// out, and its answer is taken in exactly where it belongs.

import * as api from "../../nola/lib/api.js";
import { pointerOf, write } from "../../nola/lib/json.js";
import { portions } from "../../nola/lib/portions.js";

export const PAGE = 200; // members or items that are loaded at once
const PATIENCE = 150; // milliseconds until an event that must come is fetched

/** What was to be read or edited is not there any more. */
export class Gone extends Error {}

/** The way to a node that is there. */
function way(node) {
  if (!node.isAttached) throw new Gone("it is not there any more");
  return node.tokens;
}

function only_gone(error) {
  if (!(error instanceof Gone) && error.status !== 404) throw error;
}

export class Memory {
  /** `on.applied(event, touched, isMine)` after each revision, `on.waiting(error)` while a write cannot be sent,
   *  `on.batch(change)` wraps whatever changes the tree. */
  constructor(tree, feed, { me, find }, on) {
    Object.assign(this, { tree, feed, me, address: find, on, revision: 0, events: [], reads: 0, writing: false, waiters: [] });
    this.lens = null; // what all is seen through: {query: {at, level}}; nothing can be written then
    this.mine = new Set();
    this.touched = new Map(); // of my own revisions: what they touched
    this.reading = this.sending = Promise.resolve();
  }

  async open() {
    const { view, revision } = await this.view([], { limit: PAGE });
    this.revision = revision;
    this.on.batch(() => this.tree.fill(this.tree.root, view));
    this.feed.start(revision);
  }

  // Events

  take(event) {
    this.events.push(event);
    if (this.lens) this.on.missed(event);
    this.waiters.splice(0).forEach((go) => go());
    this.pump();
  }

  /** Apply what has come. While one of my writes is out, what comes from me waits for its answer: it may be that. */
  pump() {
    if (!this.events.length || this.lens) return;
    this.on.batch(() => {
      while (this.events.length && !this.reads && !this.isMaybeMine(this.events[0])) this.next();
    });
    if (this.events.length) return;
    for (const node of this.tree.unsure) this.findPlaces(node).catch(only_gone);
    this.tree.unsure.clear();
  }

  isMaybeMine(event) {
    return this.writing && event?.actor === this.me;
  }

  next() {
    const event = this.events.shift();
    if (event.revision <= this.revision) return;
    this.revision = event.revision;
    const touched = event.changes.flatMap(({ kind, key, ops }) => {
      if (kind !== "state") return [];
      if (!ops) return this.reread(key);
      return this.tree.apply(key, ops).map((one) => ({ ...one, key }));
    });
    for (const { node, unknown } of touched) if (unknown) this.refresh(node);
    if (this.mine.has(event.revision)) this.touched.set(event.revision, touched);
    this.on.applied(event, touched, this.mine.has(event.revision));
  }

  /** A change too large to be told: read what we have of the key anew. */
  reread(key) {
    const node = this.tree.find([key]);
    this.refresh(node ?? this.tree.root);
    return node ? [{ node, key, did: "set" }] : [];
  }

  /** The history is another one: all that is loaded is read anew. */
  reset(revision) {
    this.events = [];
    this.revision = revision;
    this.mine.clear();
    this.waiters.splice(0).forEach((go) => go());
    if (!this.lens) this.refresh(this.tree.root);
  }

  /** See all through a lens from now on. What happens meanwhile waits until it is put down. */
  async wear(lens) {
    while (this.reads || this.writing) await Promise.all([this.reading, this.sending]);
    this.lens = lens;
  }

  /** Be live again, where the tree has just been filled as it is at a revision. */
  wearNone(revision) {
    this.lens = null;
    this.revision = revision;
    this.pump();
  }

  /** Return once the tree has come to a revision. A `patient` one lets a write of mine be answered first. */
  async reach(revision, patient = false) {
    while (this.revision < revision) {
      if (patient && this.isMaybeMine(this.events[0])) await this.answered;
      else if (this.events.length) this.on.batch(() => this.next());
      else await this.news();
    }
  }

  async news() {
    const came = new Promise((go) => this.waiters.push(go));
    if (await Promise.race([came.then(() => true), api.pause(PATIENCE)])) return;
    await this.feed.pull().catch(() => api.pause(PATIENCE * 3)); // the server is away; it will be back
  }

  // Reads

  /** Read at a place (`where()`, a list of tokens) with `fetch(tokens)`, and use the answer, which has its `revision`, in
   *  `take` while the tree is at that revision. If the place has moved in between, the answer was of another: once more. */
  read(where, fetch, take) {
    this.reads += 1;
    const done = this.reading
      .then(() => this.attempt(where, fetch, take))
      .finally(() => {
        this.reads -= 1;
        this.pump();
      });
    this.reading = done.catch(() => {});
    return done;
  }

  async attempt(where, fetch, take) {
    for (;;) {
      const { lens } = this;
      const asked = where();
      const has_moved = () => pointerOf(where()) !== pointerOf(asked);
      try {
        const answer = await fetch(asked);
        if (lens !== this.lens) continue;
        if (lens) return this.on.batch(() => take(answer));
        await this.reach(answer.revision, true);
        if (this.revision === answer.revision && !has_moved()) return this.on.batch(() => take(answer));
      } catch (error) {
        if (lens !== this.lens) continue;
        if (error.status !== 404 || this.lens) throw error;
        await this.catchUp();
        if (!has_moved()) throw error;
      }
    }
  }

  /** Apply what has happened up to now. */
  async catchUp() {
    await this.feed.pull();
    while (this.events.length && !this.isMaybeMine(this.events[0])) this.on.batch(() => this.next());
  }

  view(tokens, query) {
    const order = tokens.length ? undefined : this.tree.order;
    return api.tree_view(tokens, { order, ...query }, this.lens);
  }

  /** Load the first or the next page of a node, or the one behind one of its kids. */
  load(node, limit = PAGE, behind = undefined) {
    const isSingle = () => behind?.parent === node && node.kids.indexOf(behind) >= node.prefix;
    const last = () => (isSingle() ? behind : node.prefix ? node.kids[node.prefix - 1] : undefined);
    const after = () => (last() ? [last().label] : []);
    return this.read(
      () => [...way(node), ...after()],
      (tokens) => this.view(node.tokens, { limit, after: after().length ? tokens.at(-1) : undefined }),
      ({ view }) =>
        this.tree.fill(node, view, { more: Boolean(node.kids?.length), start: isSingle() ? behind.index + 1 : undefined }),
    );
  }

  /** Load the last page of a node. */
  last(node) {
    return this.read(
      () => way(node),
      (tokens) => this.view(tokens, { last: PAGE }),
      ({ view }) => this.tree.fill(node, view, { start: view.size - (view.members ?? view.items).length }),
    );
  }

  /** Load everything down to a level, as far as one answer goes. */
  deepen(node, depth) {
    return this.read(
      () => way(node),
      (tokens) => this.view(tokens, { depth, limit: PAGE }),
      ({ view }) => this.tree.fill(node, view),
    );
  }

  /** Load a member or item where its page is not loaded, and of a list what stands around it, if it is there. */
  single(parent, token) {
    if (parent.type === "object") return this.findPlaces(parent, [token]);
    if (!/^\d{1,9}$/.test(token)) return undefined;
    const start = Math.max(0, Number(token) - PAGE / 2);
    return this.read(
      () => way(parent),
      (tokens) => this.view(tokens, { limit: PAGE, after: start ? String(start - 1) : undefined }),
      ({ view }) => this.tree.fill(parent, view, { start }),
    );
  }

  /** Find the places of what stands alone in an object, and of others that are wanted. */
  findPlaces(parent, names = []) {
    return this.read(
      () => way(parent),
      (tokens) => this.places([...names, ...parent.singles.map(({ name }) => name)].map((name) => [...tokens, name])),
      ({ trees }) => trees.forEach((tree) => this.tree.pin(this.tree.root, tree)),
    );
  }

  /** Nodes with their places among all, as narrowed trees of one moment: {trees, revision}. */
  async places(ways) {
    if (!ways.length) return { trees: [], revision: this.revision };
    const [first, ...others] = portions(ways.map(pointerOf));
    const { tree, revision } = await this.find({ node: first });
    const same = others.map((node) => this.find({ node, at: revision }));
    return { trees: [tree, ...(await Promise.all(same)).map((one) => one.tree)], revision };
  }

  /** What is found where, as a narrowed tree, and the revision of it. */
  async find(query) {
    const all = { order: this.tree.order, ...this.lens?.query, ...query };
    const { text, revision } = await api.call("GET", this.address, { query: all });
    return { ...JSON.parse(text), revision };
  }

  /** Put the keys into another order: what is loaded of them is read anew. */
  reorder(order) {
    const { root } = this.tree;
    return this.read(
      () => [],
      () => this.view([], { limit: Math.min(1000, Math.max(PAGE, root.prefix)), order }),
      ({ view }) => {
        this.tree.order = order;
        this.tree.fill(root, view, { fresh: true });
      },
    );
  }

  async refresh(node) {
    try {
      await this.read(
        () => way(node),
        (tokens) =>
          this.view(tokens, { limit: Math.min(1000, Math.max(PAGE, node.prefix)), depth: node.kids ? 1 : 0 }),
        ({ view }) => this.tree.fill(node, view, { fresh: true }),
      );
      await Promise.all(
        (node.kids ?? []).filter((kid) => kid.kids?.length && kid.isContainer).map((kid) => this.refresh(kid)),
      );
    } catch (error) {
      only_gone(error);
    }
  }

  /** The whole value of a node, exactly: {text, etag, tokens, revision}. */
  stored(node) {
    return this.read(
      () => way(node),
      (tokens) => api.stored(tokens, this.lens),
      (answer) => ({ ...answer, tokens: node.tokens }),
    );
  }

  /** Whether there is something at a place, also where it is not loaded. */
  async has(tokens) {
    let node = this.tree.root;
    for (const token of tokens) {
      if (node.isContainer && !node.kids?.length && node.size) await this.load(node);
      const next = node.kid(token);
      if (!next) return !node.isWhole && node.isContainer && this.isThere(tokens);
      node = next;
    }
    return true;
  }

  async isThere(tokens) {
    try {
      await this.view(tokens, { depth: 0 });
      return true;
    } catch (error) {
      if (error.status === 404) return false;
      throw error;
    }
  }

  // Writes

  /** Send one write after the other. `request(base)` says what to send, seeing the tree as it is at revision `base`.
   *  Returns the revision it made, once the tree shows it; undefined if there was nothing to change. Throws Problem. */
  write(request) {
    const done = this.sending
      .then(async () => {
        if (this.lens) throw new Gone("what is shown cannot be changed; go back to now first");
        const base = this.revision;
        const sent = request(base);
        this.writing = true;
        let revision;
        try {
          const answer = api.send(sent, this.on.waiting);
          this.answered = answer.then(
            () => {},
            () => {},
          );
          ({ revision } = await answer);
          if (revision > base) this.mine.add(revision);
        } finally {
          this.writing = false;
        }
        await this.reach(revision);
        return revision > base ? revision : undefined;
      })
      .finally(() => this.pump());
    this.sending = done.catch(() => {});
    return done;
  }

  /** Return when all that was sent is answered, and who sent it knows. */
  async settle() {
    await this.sending;
    await api.pause(0);
  }

  /** Operations on the key of a node, made when it is their turn: `ops()` gives [{op, path, value as JSON text}]. */
  patch(node, ops) {
    return this.write((base) => {
      if (!node.isAttached) throw new Gone("it is not there any more");
      return api.patch(node.tokens[0], ops(), base);
    });
  }

  /** Put a value in the place of a node. */
  set(node, value) {
    return this.write((base) => {
      if (!node.isAttached) throw new Gone("it is not there any more");
      return api.put(node.tokens, write(value), base);
    });
  }

  /** Put a text in the place of what was `stored` ({tokens, revision}): what others have changed since then stays. */
  replace(stored, text, headers = {}) {
    return this.write(() => ({ ...api.put(stored.tokens, text, stored.revision), headers }));
  }
}
