// Who did something, by one name on all pages. access/actors.py says the same, and tests/data/authors.json holds both
// to it.

import { h } from "./dom.js";

const ICONS = { agent: "smart_toy", person: "person", you: "person", cli: "terminal", nola: "settings", unknown: "help" };

/** What a change came through, or was made by. */
export const DOORS = {
  api: "the API",
  admin: "the browser",
  mcp: "MCP",
  cli: "the command line",
  import: "an import",
  restore: "a restore",
  undo: "an undo",
  sync: "a sync",
  loaddata: "a fixture",
  seed: "the first start",
  forget: "forgetting",
};
const WAYS = ["api", "admin", "mcp", "cli"];

/** An actor in words: {name, kind, icon}; `me` is the actor who reads. */
export function nameActor(actor, me = "") {
  const [name, kind] = inWords(actor, me);
  return { name, kind, icon: ICONS[kind] };
}

function inWords(actor, me) {
  if (actor && actor === me) return ["You", "you"];
  const at = actor.indexOf(":");
  const [kind, name] = at < 0 ? [actor, ""] : [actor.slice(0, at), actor.slice(at + 1)];
  if (kind === "cli") return [["", "unknown"].includes(name) ? "command line" : `${name}, command line`, "cli"];
  if (kind === "key" && name) return [name, "agent"];
  if (kind === "user" && name) return [name, "person"];
  if (kind === "system" && name) return [name.replaceAll("-", " "), "nola"];
  return [actor || "somebody", "unknown"];
}

/** The same as an element, with the exact actor on hover. */
export function author(actor, me) {
  return h("span.ui-author", { title: actor }, nameActor(actor, me).name);
}

/** A name in the middle of a sentence. */
export function within(name) {
  return name === "You" ? "you" : name;
}

/** How a change came in: "through the API", "by an import". */
export function through(source) {
  return `${WAYS.includes(source) ? "through" : "by"} ${DOORS[source] ?? source}`;
}
