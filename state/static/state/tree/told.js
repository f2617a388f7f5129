// How a value is told in one line: in its row, to those who listen, and in short.

import { bytes, count, h } from "../../nola/lib/dom.js";

const SHOWN = 300; // characters of a text in its row
const LONG = 60;

/** What stands in a row for a value. */
export function content(value) {
  if (value.type === "object" || value.type === "array")
    return [h("span.tree-count", {}, value.size ?? (value.members ?? value.items).length)];
  if (value.type !== "text") return [String(value.value ?? value.number ?? value.boolean ?? "null")];
  const text = value.text ?? value.value;
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  const parts = [h("span.tree-string", {}, shown.replace(/\r?\n/g, " ↵ "))];
  const lines = text.split("\n").length;
  if (value.truncated) parts.push(h("span.tree-tag.ui-chip", {}, bytes(value.bytes)));
  else if (lines > 1) parts.push(h("span.tree-tag.ui-chip", {}, count(lines, "line", "lines")));
  return parts;
}

export function spoken(value) {
  switch (value.type) {
    case "object":
      return `object, ${count(value.size ?? value.members.length, "member", "members")}`;
    case "array":
      return `list, ${count(value.size ?? value.items.length, "item", "items")}`;
    case "text":
      return `text ${short(value.text ?? value.value)}`;
    default:
      return String(value.value ?? value.number ?? value.boolean ?? "null");
  }
}

export function short(text) {
  return text.length > LONG ? `${text.slice(0, LONG)}…` : text || "(empty)";
}
