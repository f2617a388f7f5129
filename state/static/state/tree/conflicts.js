// When somebody changes what I am editing: both sides are shown in place, and I choose. Nothing is written over unseen.

import { announce, h, icon, sentence } from "../../nola/lib/dom.js";
import { Unfit } from "./edit.js";
import { parse, pointerOf, write } from "../../nola/lib/json.js";
import { merge } from "./merge.js";

const LONG = 2000;

/** Look whether a change by somebody else has touched what I am editing. */
export function met(actions, event, touched) {
  const editor = actions.session;
  if (!editor || editor.conflict) return;
  const who = actions.activity.who(event.revision);
  const node = editor.about === "add" ? editor.parent : editor.node;
  const its = (did) => touched.some((one) => one.node === node && one.did === did);
  if (!node.isAttached && !node.isRoot) metRemoved(actions, editor, node, who);
  else if (editor.about === "value" && its("set")) ask(actions, editor, node, { who, theirs: valueOf(node) });
  else if (editor.about === "name" && its("move") && node.name !== editor.initial.text)
    ask(actions, editor, node, { who, theirs: { type: "text", text: node.name } });
  else if (editor.about === "json" && concerns(event, node))
    editor.say(
      h(
        "span.tree-merge",
        {},
        icon("merge"),
        `${who} changed something in here meanwhile; saving keeps both, or asks.`,
      ),
    );
}

/** Whether a revision changed something in or around a node, loaded or not. */
export function concerns(event, { tokens: [key, ...rest] }) {
  const here = pointerOf(rest);
  const is_near = (path) => path !== undefined && (covers(here, path) || covers(path, here));
  const ops = event.changes.filter((one) => one.kind === "state" && one.key === key).map((one) => one.ops);
  return ops.some((some) => !some || some.some((op) => is_near(op.path) || is_near(op.from)));
}

/** What I am editing was removed, or stands there anew. */
function metRemoved(actions, editor, node, who) {
  const now = actions.tree.find(node.tokens);
  if (editor.about === "add" && now) editor.parent = now;
  else ask(actions, editor, now ?? node, { who, theirs: now && valueOf(now) });
}

/** Show both sides in the editor, and do what is chosen. */
export function ask(actions, editor, node, { who, theirs, places = [] }) {
  announce(`${who} changed what you are editing. Choose mine or theirs.`);
  editor.places = places;
  const again = () => {
    editor.conflict.remove();
    editor.conflict = null;
    editor.input.focus();
  };
  show(editor, {
    who,
    theirs,
    places,
    take: () => editor.close(),
    again: places.length ? again : undefined,
    keep: () => keepMine(actions, editor, node),
  });
}

function keepMine(actions, editor, node) {
  try {
    const [typed, meant] = [editor.input.value, editor.read(editor.input.value, editor.picker?.value)];
    if (editor.places.length) return keepMerged(actions, editor, node, meant);
    editor.end(true);
    if (editor.about === "add") return actions.putBack([...node.tokens, ...meant.names], meant.value);
    if (editor.about === "name") return node.isAttached ? actions.setName(node, meant) : undefined;
    if (!node.isAttached) return actions.putBack(node.tokens, meant);
    return editor.about === "json" ? actions.setWhole(node, meant) : actions.setValue(node, meant, typed);
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    return editor.fail(error.message, error.index);
  }
}

/** Keep mine where both of us changed the same, and theirs everywhere else. What of theirs was not shown yet is shown
 *  first. */
async function keepMerged(actions, editor, node, mine) {
  const now = await actions.memory.stored(node).catch((error) => editor.fail(sentence(error.message)));
  if (!now || editor.ended) return undefined;
  const start = pointerOf(editor.stored.tokens.slice(1));
  const { value, clashes } = merge(parse(editor.stored.text), mine, parse(now.text), start);
  const unseen = clashes.filter(({ pointer }) => !editor.places.some((place) => covers(place.pointer, pointer)));
  if (unseen.length) return ask(actions, editor, node, { who: "somebody", places: [...editor.places, ...unseen] });
  editor.end(true);
  return actions.saveJSON(node, now, value, write(value, "  "));
}

function covers(place, pointer) {
  return pointer === place || pointer.startsWith(`${place}/`);
}

/** Show their side below my editor: theirs is a value, or undefined where it is gone. */
function show(editor, { who, theirs, places, keep, take, again }) {
  editor.conflict?.remove();
  const said =
    theirs === undefined && !places.length
      ? `${who} removed this while you were editing it.`
      : `${who} changed this while you were editing it.`;
  const sides = places.length
    ? places.map((place) =>
        h(
          "div.tree-place",
          {},
          h("code", {}, place.pointer || "All of it"),
          side("Theirs", place.theirs),
          side("Yours", place.yours),
        ),
      )
    : theirs === undefined
      ? []
      : [h("div.tree-place", {}, side("Theirs", theirs))];
  const gone = theirs === undefined && !places.length;
  editor.conflict = h(
    "div.tree-conflict.ui-note",
    { role: "alertdialog", "aria-label": said },
    h("div.tree-conflict-said", {}, icon("call_split"), h("strong", {}, said)),
    ...sides,
    h(
      "div.tree-conflict-choice.ui-row",
      {},
      choice(gone ? "Put it back with mine" : "Keep mine", "ui-primary", keep),
      choice(gone ? "Let it go" : "Take theirs", "", take),
      ...(again ? [choice("Go on editing", "", again)] : []),
    ),
  );
  editor.element.append(editor.conflict);
  editor.conflict.scrollIntoView({ block: "nearest" });
}

function choice(label, style, act) {
  return h(`button.ui-button.ui-small${style && `.${style}`}`, { type: "button", onclick: act }, label);
}

function side(label, value) {
  return h(
    "div.tree-side",
    {},
    h("span.tree-side-label", {}, label),
    h(`span.tree-value.tree-${value?.type ?? "null"}`, {}, told(value)),
  );
}

function told(value) {
  if (value === undefined) return "(removed)";
  if (value.type === "text") return value.text.slice(0, LONG) || "(empty)";
  if (value.members || value.items) return write(value, "  ").slice(0, LONG);
  return write(value);
}

/** A node as a value to show, as far as it is loaded. */
function valueOf(node) {
  if (node.type === "object")
    return node.kids?.length
      ? { type: "object", members: node.kids.map((kid) => [kid.name, valueOf(kid)]) }
      : { type: "object", members: [] };
  if (node.type === "array") return { type: "array", items: (node.kids ?? []).map(valueOf) };
  return { type: node.type, [node.type]: node.value };
}
