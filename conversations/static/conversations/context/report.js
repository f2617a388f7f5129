// A report of the API, drawn: what is in the context, how much room it takes, and what is left out.

import { count, h } from "../../nola/lib/dom.js";
import { shownName } from "../../nola/lib/names.js";

const AT_ONCE = 100; // rows of a list
const THIN = 0.004; // of the budget
const number = (value) => value.toLocaleString("en");
const tokens = (value) => count(value, "token", "tokens");

export function draw(report, part, tree) {
  const rows = parts_of(report);
  part("sum").textContent = `${number(report.tokens)} of ${tokens(report.budget)}`;
  part("revision").textContent = `as of revision ${number(report.revision)}`;
  part("stack").replaceChildren(...slices(rows, report.budget));
  part("sections").replaceChildren();
  list(part("sections"), rows, (one, at) => row(one, at, report, tree));
  if (!rows.length) part("sections").append(h("li.ctx-none", {}, "Nothing fits into this budget."));
  part("warnings").hidden = !report.warnings;
  part("warnings").textContent = (report.warnings ?? []).join("\n");
  const out = left_out(report);
  part("out").hidden = !out.length;
  part("left_out").replaceChildren();
  list(part("left_out"), out, (one) => missing(one, tree));
  part("text").textContent = report.text;
}

/** The sections, then messages and finds as if they were some. */
function parts_of(report) {
  const found = (report.sections ?? []).map((one) => ({ ...one, name: one.section.slice(1), pointer: one.section }));
  const { messages, found: finds } = report;
  if (messages?.shown)
    found.push({ name: messages.conversation, tokens: messages.tokens, note: count(messages.shown, "message", "messages") });
  if (finds?.shown) found.push({ name: `Found for ${finds.q}`, tokens: finds.tokens, note: count(finds.shown, "find", "finds") });
  return found;
}

/** A list of rows, of which a person asks for more. */
function list(place, rows, draw, from = 0) {
  place.append(...rows.slice(from, from + AT_ONCE).map((one, at) => draw(one, from + at)));
  const left = rows.length - from - AT_ONCE;
  if (left <= 0) return;
  const grow = () => {
    more.remove();
    list(place, rows, draw, from + AT_ONCE);
  };
  const more = h("li.ctx-none", {}, h("button.ui-link", { type: "button", onclick: grow }, `Show more (${number(left)} left)`));
  place.append(more);
}

/** What each takes of the budget; those too thin to be seen are one. */
function slices(rows, budget) {
  const isThin = (one) => one.tokens < THIN * budget;
  const thin = rows.filter(isThin).reduce((sum, one) => sum + one.tokens, 0);
  const seen = rows.map((one, at) => (isThin(one) ? undefined : slice(one, at, budget)));
  return [...seen.filter(Boolean), ...(thin ? [slice({ tokens: thin }, rows.length, budget)] : [])];
}

function slice({ tokens: taken }, at, budget) {
  const part = h("i", { "data-tone": at % 6 });
  part.style.width = `${(100 * taken) / budget}%`;
  return part;
}

function row(one, at, report, tree) {
  const most = Math.max(report.budget, 1);
  const bar = h("span.ctx-bar", { "aria-hidden": "true", "data-tone": at % 6 }, fill("i", one.tokens, most));
  for (const [level, size] of Object.entries(one.levels ?? {}).reverse())
    if (Number(level) > one.level) bar.prepend(fill("b", size, most));
  return h("li.ctx-section", {}, name_of(one, tree), facts(one), bar, h("span.ctx-tokens", {}, tokens(one.tokens)));
}

function fill(tag, size, most) {
  const part = h(tag);
  part.style.width = `${Math.min(100, (100 * size) / most)}%`;
  return part;
}

function name_of({ name, pointer }, tree) {
  const shown = shownName(name);
  return pointer ? h("a.ctx-name", { href: `${tree}#${encodeURI(pointer)}` }, shown) : h("span.ctx-name", {}, shown);
}

function facts({ level, levels, weight, note }) {
  const facts = h("span.ctx-facts.ui-faint", {}, note);
  if (levels) facts.append(level_of(level, levels));
  if (weight !== undefined && weight !== 1) facts.append(h("span.ui-chip", { title: "Its weight" }, `× ${weight}`));
  return facts;
}

/** The level that is shown, and what a deeper one would take. */
function level_of(level, levels) {
  const all = Object.keys(levels);
  if (all.length === 1 && all[0] === "3") return h("span.ui-faint", {}, "all of it");
  const deeper = Object.entries(levels).find(([other]) => Number(other) > level);
  const badge = h("span.ui-chip.ctx-level", { "data-level": level }, `level ${level}`);
  if (!deeper) return badge;
  return h("span", {}, badge, h("span.ui-faint", {}, ` level ${deeper[0]} takes ${number(deeper[1])}`));
}

function left_out(report) {
  const out = (report.left_out ?? []).map((one) => ({ ...one, name: one.section.slice(1), pointer: one.section }));
  const { messages, found, left_out_in_all: all } = report;
  if (all > out.length) out.push({ name: `${number(all - out.length)} more`, detail: "not listed here" });
  if (messages?.left_out) out.push(unread(messages.left_out, "older message", messages.conversation));
  if (found?.left_out) out.push(unread(found.left_out, "find", `for ${found.q}`));
  return out;
}

function unread(number, what, of) {
  return { name: count(number, what, `${what}s`), detail: `${of}: no room in its part of the budget` };
}

function missing(one, tree) {
  const link = one.why === "absent" ? undefined : one.pointer;
  return h("li.ctx-section.ctx-missing", {}, name_of({ name: one.name, pointer: link }, tree), h("span.ui-faint", {}, one.detail));
}
