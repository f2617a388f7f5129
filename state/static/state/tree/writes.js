// What is sent for each kind of edit. Paths are computed when it is its turn, from where the nodes are then; each of
// these returns the revision it made (see Memory.write), and throws Problem or Gone.

import * as api from "../../nola/lib/api.js";
import { pointerOf, write } from "../../nola/lib/json.js";
import { Gone } from "./memory.js";

const inside = (tokens) => pointerOf(tokens.slice(1)); // a pointer within the key
const quoted = (tokens) => JSON.stringify(pointerOf(tokens));

/** Refuse a name that is taken. */
async function free(memory, parent, name) {
  if (await memory.has([...parent.tokens, name])) throw new Gone(`there is “${name}” already`);
}

export function remove(memory, node) {
  return memory.write((base) => {
    if (!node.isAttached) throw new Gone("it is not there any more");
    return api.remove(node.tokens, base);
  });
}

/** Give a member another name, in its place. */
export async function rename(memory, node, name) {
  await free(memory, node.parent, name);
  if (node.isKey) return rename_key(memory, node, name);
  while (node.index === undefined) await memory.load(node.parent, 1000); // its place must be known to be kept
  return memory.patch(node, () => [
    { op: "move", from: inside(node.tokens), path: inside([...node.parent.tokens, name]), position: node.index },
  ]);
}

async function rename_key(memory, node, name) {
  const { text, etag } = await memory.stored(node);
  const [from, to] = [quoted(node.tokens), quoted([name])];
  return memory.write(() => api.transaction([match(from, etag), absent(to), put(to, text), gone(from)]));
}

/** Add a value into a parent under names (missing parents become objects), before `next` or at the end. */
export async function add(memory, parent, next, names, value) {
  const tokens = [...parent.tokens, ...names];
  if (names.length && (await memory.has(tokens))) throw new Gone(`there is “${names.join(".")}” already`);
  const at = () => (next?.isAttached && next.parent === parent ? next.index : undefined);
  const text = write(value);
  if (parent.type === "array")
    return memory.patch(parent, () => [
      { op: "add", path: inside([...parent.tokens, at() ?? parent.size]), value: text },
    ]);
  if (names.length > 1 || parent.isRoot || at() === undefined)
    return memory.write((base) => api.put(tokens, text, base));
  return memory.patch(parent, () => [{ op: "add", path: inside(tokens), value: text, position: at() }]);
}

/** Put a value back to where its place was removed. */
export function put_back(memory, tokens, value) {
  const parent = memory.tree.find(tokens.slice(0, -1));
  if (parent?.type !== "array") return memory.write((base) => api.put(tokens, write(value), base));
  const path = () => inside([...parent.tokens, Math.min(Number(tokens.at(-1)), parent.size)]);
  return memory.patch(parent, () => [{ op: "add", path: path(), value: write(value) }]);
}

/** Bring what was taken out of a container, or a key, back to its place. */
export function bring_back(memory, container, token, text, position) {
  return memory.write((base) => {
    const isList = container.type === "array";
    const tokens = [...container.tokens, isList ? Math.min(Number(token), container.size) : token];
    const op = { op: "add", path: inside(tokens), value: text, position };
    const headers = api.because("brought back");
    if (isList) return { ...api.patch(tokens[0], [op], base), headers };
    const add = container.isRoot
      ? put(quoted(tokens), text)
      : `{"op":"patch","pointer":${quoted(tokens.slice(0, 1))},"patch":${api.ops_text([op])}}`;
    return { ...api.transaction([absent(quoted(tokens)), add]), headers };
  });
}

/** A copy right behind the node. */
export async function duplicate(memory, node) {
  const { parent } = node;
  const name = parent.type === "array" ? undefined : await free_name(memory, parent, node.name);
  if (node.isKey) {
    const { text } = await memory.stored(node);
    return memory.write((base) => api.put([name], text, base));
  }
  return memory.patch(node, () => {
    const at = node.index === undefined ? undefined : node.index + 1;
    return [
      { op: "copy", from: inside(node.tokens), path: inside([...parent.tokens, name ?? at]), position: name && at },
    ];
  });
}

export async function free_name(memory, parent, name) {
  for (let number = 1; ; number += 1) {
    const free = number === 1 ? `${name} copy` : `${name} copy ${number}`;
    if (!(await memory.has([...parent.tokens, free]))) return free;
  }
}

/** Move a node into a parent, before one of its kids or (null) to its end. */
export async function move(memory, node, parent, next) {
  const stays = parent === node.parent;
  const name = parent.type === "array" || stays ? node.name : (node.name ?? (await free_name(memory, parent, "item")));
  if (parent.type === "object" && !stays) await free(memory, parent, name);
  if (node.isKey || parent.isRoot || parent.tokens[0] !== node.tokens[0])
    return move_across(memory, node, parent, next, name);
  return memory.patch(node, () => [move_op(node, parent, next, name)]);
}

/** RFC 6902: the target of a move is read after the source is taken out. */
function move_op(node, parent, next, name) {
  const stays = parent === node.parent;
  const shift = (one) =>
    one.parent === node.parent && node.parent.type === "array" && one.index > node.index ? one.index - 1 : one.label;
  const way = [];
  for (let one = parent; !one.isRoot; one = one.parent) way.unshift(shift(one));
  let at = next ? next.index : parent.size;
  if (stays && node.index < at) at -= 1;
  const isList = parent.type === "array";
  return {
    op: "move",
    from: inside(node.tokens),
    path: inside([...way, isList ? at : name]),
    position: isList || (!next && !stays) ? undefined : at,
  };
}

/** From one key into another, or to a key of its own: both changes or none. */
async function move_across(memory, node, parent, next, name) {
  const { text, etag } = await memory.stored(node);
  return memory.write((base) => {
    const from = quoted(node.tokens);
    const to = [...parent.tokens, parent.type === "array" ? (next?.index ?? parent.size) : name];
    const op = {
      op: "add",
      path: inside(to),
      value: text,
      position: parent.type === "object" ? next?.index : undefined,
    };
    const adds = parent.isRoot
      ? [absent(quoted(to)), put(quoted(to), text)]
      : [`{"op":"patch","pointer":${quoted(to.slice(0, 1))},"patch":${api.ops_text([op])}}`];
    return api.transaction([match(from, etag), ...adds, gone(from)], base);
  });
}

const match = (pointer, etag) => `{"op":"match","pointer":${pointer},"etag":${JSON.stringify(etag)}}`;
const absent = (pointer) => `{"op":"absent","pointer":${pointer}}`;
const put = (pointer, text) => `{"op":"put","pointer":${pointer},"value":${text}}`;
const gone = (pointer) => `{"op":"delete","pointer":${pointer}}`;
