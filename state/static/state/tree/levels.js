// Levels of detail: a badge on what belongs to one, how many tokens there are at each, and a switch that shows the tree
// as the model sees it at one of them.

import { call } from "../../nola/lib/api.js";
import { h } from "../../nola/lib/dom.js";
import { tokensOf } from "../../nola/lib/json.js";

const REST = 250; // milliseconds of rest before sizes are asked for
const AGAIN = 1500; // after a change, where they are known already
const NAMES = { level_1: "L1", level_2: "L2", level_3: "L3" };
const KINDS = ["All", "L1", "L2", "L3"];
const TITLES = [
  "All detail",
  "Level 1, realtime: as little as possible",
  "Level 2, conversational",
  "Level 3, analytical",
];

export class Levels {
  constructor(app, page) {
    Object.assign(this, { app, page, sizes: null });
    this.buttons = KINDS.map((kind, level) =>
      h(
        "button.lv-button",
        { type: "button", title: TITLES[level], onclick: () => app.past.see(app.past.at, level) },
        h("span", {}, kind),
        h("span.lv-tokens"),
      ),
    );
    page.querySelector("[data-part=detail]").append(h("span.lv-unit", { "aria-hidden": "true" }, "As seen at"), ...this.buttons);
    app.past.whenShown(() => this.shown());
    this.tell();
  }

  /** Something else is shown: at a level, nothing else on the page may tell more than it. */
  shown() {
    const { aside } = this.app.panel; // who wrote what, history and activity tell values in full
    if (this.page.dataset.seen !== undefined) aside.remove();
    else if (!aside.isConnected) this.page.querySelector(".tree-body").append(aside);
    this.tell();
    this.later(REST);
  }

  /** The memory has changed: what was said of the size of all that lies around it is so no more. */
  changed({ changes }) {
    for (const { kind, key, ops } of changes) {
      if (kind !== "state") continue;
      for (const op of ops ?? [{ path: "" }])
        for (const pointer of [op.path, op.from ?? op.path]) this.rough([key, ...tokensOf(pointer)], !ops);
    }
    this.later(AGAIN);
  }

  rough(tokens, deep) {
    let node = this.app.tree.root;
    for (const token of tokens) {
      node = node.kid(token);
      if (!node) return;
      this.doubt(node, deep);
    }
  }

  doubt(node, deep) {
    node.isRough = node.isContainer;
    if (node.el && NAMES[node.name]) this.row(node);
    if (deep) for (const kid of node.kids ?? []) this.doubt(kid, deep);
  }

  later(time) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), time);
  }

  async ask() {
    this.stop?.abort();
    this.stop = new AbortController();
    const { at } = this.app.past;
    try {
      const { text } = await call("GET", this.page.dataset.sizes, { query: { at }, signal: this.stop.signal });
      const { all, keys } = JSON.parse(text);
      this.sizes = { all, keys: new Map(keys) };
    } catch (error) {
      if (error.name === "AbortError") return;
      this.sizes = null; // they are extra: what is shown is shown without them
    }
    this.tell();
    for (const key of this.app.tree.root.kids ?? []) if (key.el) this.row(key);
  }

  /** How much there is at each level, and which one is shown. */
  tell() {
    this.buttons.forEach((button, level) => {
      const is = level === this.app.past.level;
      button.setAttribute("aria-pressed", String(is));
      const tokens = this.sizes?.all[level];
      button.lastChild.textContent = tokens === undefined ? "" : short(tokens);
      const amount = tokens === undefined ? "" : `, ${said(tokens)}`;
      button.title = `${TITLES[level]}${amount}`;
      button.setAttribute("aria-label", `${["All detail", "Level 1", "Level 2", "Level 3"][level]}${amount}`);
    });
  }

  /** The badge of a level, or the size of a key, in its row. */
  row(node) {
    const row = node.el.firstChild;
    const name = row.children[1];
    const badge = node.parent?.type === "object" && !node.isKey && NAMES[node.name];
    if (badge) {
      const characters = this.characters(node);
      const tokens = characters && Math.ceil(characters / 4);
      name.dataset.lv = tokens ? `${badge} · ${tokens.toLocaleString("en")}` : badge;
      name.title = `Level ${badge[1]}${tokens ? `, ${said(tokens)}` : ""}`;
      if (!tokens) this.measure(node);
    } else if (name.dataset.lv) {
      delete name.dataset.lv;
      name.removeAttribute("title");
    }
    if (node.isKey) this.key(node, row);
  }

  key(node, row) {
    const counts = this.sizes?.keys.get(node.name);
    const tokens = counts?.[this.app.past.level];
    if (tokens === undefined || tokens === null) {
      delete row.dataset.tokens;
      return;
    }
    row.dataset.tokens = short(tokens);
    row.title = counts
      .map((one, level) => `${["All detail", "Level 1", "Level 2", "Level 3"][level]}: ${one === null ? "nothing" : said(one)}`)
      .join("\n");
  }

  /** How many characters the compact JSON text of a node has, exactly; undefined where that is not known here. */
  characters(node) {
    const { type } = node;
    if (type === "text" && !node.truncated) return length(JSON.stringify(node.value));
    if (type === "number" || type === "boolean" || type === "null") return String(node.value ?? "null").length;
    if (node.characters && !node.isRough) return node.characters;
    if (!node.isContainer || !node.isWhole) return undefined;
    const parts = node.kids.map((kid) => {
      const inside = this.characters(kid);
      return inside && inside + (node.type === "object" ? length(JSON.stringify(kid.name)) + 1 : 0);
    });
    if (parts.includes(undefined)) return undefined;
    return 2 + parts.reduce((sum, part) => sum + part, 0) + Math.max(0, parts.length - 1);
  }

  /** Ask how large something is that was changed where it is not loaded. */
  async measure(node) {
    if (node.isMeasured) return;
    node.isMeasured = true;
    try {
      const way = () => node.tokens;
      await this.app.memory.read(
        way,
        (tokens) => this.app.memory.view(tokens, { depth: 0 }),
        ({ view }) => Object.assign(node, { characters: view.characters ?? view.bytes, isRough: false }),
      );
      if (node.el) this.row(node);
    } catch {
      // it has gone, or the server is away: then there is no number
    } finally {
      node.isMeasured = false;
    }
  }
}

/** Characters as the server counts them: code points. */
function length(text) {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

function said(tokens) {
  return `about ${tokens.toLocaleString("en")} ${tokens === 1 ? "token" : "tokens"}`;
}

function short(tokens) {
  if (tokens < 10_000) return tokens.toLocaleString("en");
  return tokens < 1e6 ? `${Math.round(tokens / 1000)}k` : `${(tokens / 1e6).toFixed(1)}M`;
}
