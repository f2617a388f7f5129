// The rows: one for each change, or one for many in a row of the same actor, which opens to its changes.

import { patches_of, told } from "../changes/changes.js";
import { nameChat } from "../changes/chats.js";
import { said } from "../changes/kinds.js";
import { call } from "../../nola/lib/api.js";
import { DOORS, author, nameActor, through, within } from "../../nola/lib/authors.js";
import { clock, exactTime } from "../../nola/lib/dates.js";
import { count, h, icon, sentence } from "../../nola/lib/dom.js";
import { member, parse, plain } from "../../nola/lib/json.js";
import { did, span } from "./words.js";

const FIRST = 3; // places of a change that are shown at once
const MOST_TALKS = 10; // conversations of a change that are told
const AT_ONCE = 50; // changes of a group that are shown at once, and with every “more”
const ACTIVITY = "/admin/activity/";

/** Where the page of a change is. */
export function address(seq) {
  return `${ACTIVITY}${seq}/`;
}

/** The change that an address of the site is about; undefined where it is about none. */
export function changeAt(path) {
  return path.startsWith(ACTIVITY) ? /^(\d+)\/$/.exec(path.slice(ACTIVITY.length))?.[1] : undefined;
}

/** The row of one change. `page` has me, mayUndo, undo(what, title). */
export function row(entry, page) {
  const id = `act-${entry.seq}`;
  const element = h("article.act-row", { tabIndex: -1, "aria-labelledby": id });
  element.append(
    face(entry.actor, page.me),
    h(
      "div.act-main",
      {},
      h("div.act-head", { id }, h("strong", {}, author(entry.actor, page.me)), " ", ...did([entry])),
      ...(entry.reason ? [h("p.ui-why", {}, entry.reason)] : []),
      body(entry),
    ),
    aside(entry, page),
  );
  element.entry = entry;
  return element;
}

function face(actor, me) {
  const { kind, icon: symbol } = nameActor(actor, me);
  return h("span.act-face", { "data-kind": kind }, icon(symbol));
}

function aside(entry, page) {
  const door = DOORS[entry.source] ?? entry.source;
  const { client } = entry.info; // the program that an agent wrote with, where it has said so
  const title = `${exactTime(entry.at)} · change ${entry.seq} · ${client ? `${through(entry.source)}, ${client}` : through(entry.source)}`;
  const shown = ["api", "undo", "restore"].includes(entry.source) ? "" : door.replace(/^(the|an?) /, "");
  return h(
    "div.act-aside",
    {},
    h("span.act-door", {}, client || shown),
    h("a.act-time", { href: address(entry.seq) }, h("time.ui-when", { dateTime: entry.at.toISOString(), title }, clock(entry.at))),
    page.mayUndo ? undoer("Undo", `Undo change ${entry.seq}`, () => page.undo(...undoing([entry], page))) : null,
  );
}

function undoer(label, name, act) {
  return h("button.act-undo", { type: "button", "aria-label": name, title: "Undo (u)", onclick: act }, icon("undo"), h("span", {}, label));
}

/** What an undo of some entries is, and its title: an import or restore is taken back as a whole. */
export function undoing(entries, { me }) {
  const [{ seq, source, info, actor }] = entries;
  const name = within(nameActor(actor, me).name);
  if (info.batch && ["import", "restore"].includes(source))
    return [{ batch: info.batch }, source === "import" ? "Undo the whole import" : "Undo the whole restore"];
  if (entries.length === 1) return [{ revision: seq }, `Undo what ${name} did at ${clock(entries[0].at)}`];
  const many = count(entries.length, "change", "changes");
  return [{ revisions: entries.map((one) => one.seq) }, `Undo ${many} by ${name}`];
}

/** The changes themselves. */
export function body(entry) {
  const holder = h("div.act-what");
  const changes = parse(entry.text).items;
  const patches = changes
    .filter((change) => plain(member(change, "kind")) === "state" && member(change, "patch"))
    .map((change) => [plain(member(change, "key")), member(change, "patch")]);
  const large = changes.filter((change) => !member(change, "patch"));
  if (patches.length) holder.append(shown(patches, entry));
  if (large.length) holder.append(later(entry, large));
  if (entry.state.size && entry.talk.size) holder.append(...some_said(changes));
  return holder;
}

function shown(patches, entry) {
  const exact = patches_of({ members: patches });
  return told(exact, { first: entry.isOpen ? undefined : FIRST, heads: entry.state.size > 1 });
}

function some_said(changes) {
  const all = said(changes.filter((change) => member(change, "patch")));
  const rest = all.length - MOST_TALKS;
  return rest > 0 ? [...all.slice(0, MOST_TALKS), h("p.ui-soft", {}, `and ${rest} more conversations`)] : all;
}

/** Changes that are too large to come along: they are fetched when they are asked for. */
function later(entry, changes) {
  const keys = changes.filter((change) => plain(member(change, "kind")) === "state").map((change) => plain(member(change, "key")));
  if (!keys.length) return h("p.ui-soft", {}, `${count(entry.total ?? changes.length, "change", "changes")} in conversations`);
  const button = h("button.chg-more.ui-link", { type: "button" }, "Show what changed");
  button.onclick = async () => {
    button.disabled = true;
    try {
      const query = new URLSearchParams([["from", entry.seq - 1], ["to", entry.seq], ["was", "true"], ...keys.slice(0, 20).map((key) => ["key", key])]);
      const { text } = await call("GET", `/api/diff?${query}`);
      button.replaceWith(told(patches_of(member(parse(text), "patches")), { heads: keys.length > 1 }));
    } catch (error) {
      button.disabled = false;
      button.textContent = `${sentence(error.message)}. Try again`;
    }
  };
  return button;
}

/** The row of many changes in a row. */
export class Group {
  constructor(line, page) {
    Object.assign(this, { line, page });
    const id = `act-group-${line.entries.at(-1).seq}`;
    this.head = h("button.act-toggle", { type: "button", id, onclick: (event) => event.target.closest("a") || this.toggle() });
    this.times = h("span.act-time");
    this.inner = h("div.act-inner");
    const take_all = () => page.undo(...undoing(this.line.entries, page));
    const all = page.mayUndo ? undoer("Undo all", "Undo all of these", take_all) : null;
    this.element = h(
      "article.act-row.act-group",
      { tabIndex: -1, "aria-labelledby": id },
      face(line.entries[0].actor, page.me),
      h("div.act-main", {}, this.head),
      h("div.act-aside", {}, this.times, all),
      this.inner,
    );
    this.element.group = this;
    this.rows = [];
    this.update();
  }

  /** Show that there are more entries, or others. */
  update() {
    const { entries, isOpen } = this.line;
    const name = author(entries[0].actor, this.page.me);
    const words = did(entries).map((one) => (one instanceof Element ? unlinked(one) : one));
    const doings = count(entries.length, "change", "changes");
    this.head.replaceChildren(icon("chevron_right"), h("strong", {}, name), " ", ...words, " ", h("span.ui-soft", {}, `· ${doings}`));
    this.head.setAttribute("aria-expanded", String(Boolean(isOpen)));
    this.times.textContent = span(entries);
    if (isOpen) this.fill();
    else this.empty();
  }

  toggle(isOpen = !this.line.isOpen) {
    this.line.isOpen = isOpen;
    this.update();
  }

  empty() {
    this.rows = [];
    this.shown = 0;
    this.inner.replaceChildren();
  }

  /** The entries that are to be seen, new ones on top of those that are. */
  fill() {
    const { entries } = this.line;
    this.shown = Math.max(this.shown ?? 0, Math.min(AT_ONCE, entries.length));
    const known = new Map(this.rows.map((one) => [one.entry, one]));
    const fresh = entries.findIndex((entry) => known.has(entry));
    if (fresh > 0) this.shown += fresh;
    this.rows = entries.slice(0, this.shown).map((entry) => known.get(entry) ?? row(entry, this.page));
    const left = entries.length - this.rows.length;
    const more = h("button.chg-more.ui-link", { type: "button" }, `Show more (${left.toLocaleString("en")} left)`);
    more.onclick = () => {
      const next = this.rows.length;
      this.shown += AT_ONCE;
      this.fill();
      this.rows[next]?.focus();
    };
    settle(this.inner, left ? [...this.rows, more] : this.rows);
  }
}

/** What looks like a link, but leads nowhere: a button has no links in it. */
function unlinked(element) {
  const session = element.querySelector("[data-session]")?.dataset.session;
  const name = h("span.ui-link", {}, element.textContent);
  return session === undefined ? name : nameChat(name, session);
}

/** Make these the children of an element, and touch none that is in its place already: it may have the focus. */
export function settle(parent, wanted) {
  const stay = new Set(wanted);
  for (const child of [...parent.childNodes]) if (!stay.has(child)) child.remove();
  let at = parent.firstChild;
  for (const child of wanted) {
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
}
