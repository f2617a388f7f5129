// When somebody changes what I am editing: both sides are shown in place, and I choose. Nothing is written over unseen.

import { h, icon } from "./dom.js";
import { write } from "./json.js";

const LONG = 2000;

/** Show their side below my editor: theirs is a value, or undefined where it is gone. */
export function show(editor, { who, theirs, places, keep, take, again }) {
  editor.conflict?.remove();
  const said = theirs === undefined && !places.length ? `${who} removed this while you were editing it.` : `${who} changed this while you were editing it.`;
  const sides = places.length
    ? places.map((place) => h("div.tree-place", {}, h("code", {}, place.pointer || "All of it"), side("Theirs", place.theirs), side("Yours", place.yours)))
    : theirs === undefined ? [] : [h("div.tree-place", {}, side("Theirs", theirs))];
  const gone = theirs === undefined && !places.length;
  editor.conflict = h("div.tree-conflict", { role: "alertdialog", "aria-label": said },
    h("div.tree-conflict-said", {}, icon("call_split"), h("strong", {}, said)),
    ...sides,
    h("div.tree-conflict-choice", {},
      choice(gone ? "Put it back with mine" : "Keep mine", "tree-primary", keep),
      choice(gone ? "Let it go" : "Take theirs", "", take),
      ...(again ? [choice("Go on editing", "", again)] : [])));
  editor.element.append(editor.conflict);
  editor.conflict.scrollIntoView({ block: "nearest" });
}

function choice(label, style, act) {
  return h(`button.tree-button${style && `.${style}`}`, { type: "button", onclick: act }, label);
}

function side(label, value) {
  return h("div.tree-side", {}, h("span.tree-side-label", {}, label), h(`span.tree-value.tree-${value?.type ?? "null"}`, {}, told(value)));
}

function told(value) {
  if (value === undefined) return "(removed)";
  if (value.type === "text") return value.text.slice(0, LONG) || "(empty)";
  if (value.members || value.items) return write(value, "  ").slice(0, LONG);
  return write(value);
}

/** A node as a value to show, as far as it is loaded. */
export function valueOf(node) {
  if (node.type === "object") return node.kids?.length ? { type: "object", members: node.kids.map((kid) => [kid.name, valueOf(kid)]) } : { type: "object", members: [] };
  if (node.type === "array") return { type: "array", items: (node.kids ?? []).map(valueOf) };
  return { type: node.type, [node.type]: node.value };
}
