// What happened, in words: nodes to put into a row, names, times and days.

import { chat } from "../changes/kinds.js";
import { href } from "../changes/changes.js";
import { clock } from "../../nola/lib/dates.js";
import { count, h } from "../../nola/lib/dom.js";

const NAMED = 3; // keys and conversations that are named

/** What some entries of one actor did, as nodes of a sentence that begins with the actor. */
export function did(entries) {
  const [newest] = entries;
  const parts = [];
  const places = sums(entries, "state");
  const said = sums(entries, "talk");
  const begin = verb(entries);
  if (places.size) parts.push([...begin, ...of_state(entries, places, begin)]);
  if (said.size) parts.push([...(places.size ? [] : begin), ...of_talk(entries, said, begin.length > 0)]);
  if (!parts.length) parts.push(begin.length ? begin : [newest.reason ? "noted something" : "changed nothing else"]);
  return parts.flatMap((part, number) => (number ? [", ", ...part] : part));
}

function verb(entries) {
  const { source, info } = entries[0];
  if (entries.length > 1) return [];
  if (source === "undo") {
    const undone = info.undoes ?? [];
    return [undone.length === 1 ? `took back change ${undone[0]}: ` : `took back ${count(undone.length, "change", "changes")}: `];
  }
  if (source === "restore") {
    const what = info.checkpoint ?? info.backup;
    return [what ? `restored ${what}: ` : "restored "];
  }
  if (source === "forget") return ["forgot a value "];
  return source === "import" ? ["imported "] : source === "seed" ? ["began with "] : [];
}

function of_state(entries, places, begin) {
  const total = [...places.values()].reduce((sum, some) => sum + some, 0);
  const { whole, total: of_all, source } = entries[0];
  if (entries.length === 1 && whole && !begin.length)
    return [{ add: "added ", remove: "removed " }[whole] ?? "replaced ", ...names(places, key)];
  if (of_all && entries.length === 1) return ["changed much in ", ...names(places, key, of_all)];
  if (begin.length && source !== "undo") return names(places, key);
  if (entries.length === 1 && total === 1) return [begin.length ? "" : "changed ", ...names(places, key)];
  return [`${begin.length ? "" : "changed "}${count(total, "place", "places")} in `, ...names(places, key)];
}

function of_talk(entries, said, has_verb) {
  const total = [...said.values()].reduce((sum, some) => sum + some, 0);
  const acts = new Set(entries.flatMap((entry) => [...entry.acts]));
  const verb = acts.size === 1 ? { add: "added", remove: "deleted", set: "changed" }[[...acts][0]] : "changed";
  const what = total ? `${count(total, "message", "messages")} in ` : "";
  return [has_verb ? "" : `${verb} `, what, ...names(said, (session) => chat(session))];
}

function sums(entries, what) {
  const found = new Map();
  for (const entry of entries) for (const [name, some] of entry[what]) found.set(name, (found.get(name) ?? 0) + some);
  return found;
}

/** The first of the names as links, and how many more there are. */
function names(found, link, total = found.size) {
  const some = [...found.keys()].slice(0, NAMED).flatMap((name, number) => (number ? [", ", link(name)] : [link(name)]));
  return total > NAMED ? [...some, ` and ${(total - NAMED).toLocaleString("en")} more`] : some;
}

function key(name) {
  return h("a.ui-link", { href: href([name]), title: "Show in the tree" }, name || "(empty name)");
}

/** From the first to the last of some entries, which stand newest first. */
export function span(entries) {
  const [last, first] = [entries[0], entries.at(-1)].map((entry) => clock(entry.at));
  return first === last ? last : `${first}–${last}`;
}
