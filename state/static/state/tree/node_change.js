// One change of a node, out of what a revision did to its key: told from the node, which may have been moved by it.

import { ops_of } from "../changes/changes.js";
import { member, plain, pointerOf, tokensOf } from "../../nola/lib/json.js";

/** A revision as the history tells it. Its operations begin at the node; `from` is where that was moved from, if it was,
 *  `left` what was moved out of it, and `took` says that it was taken away. Of a large one there are no operations. */
export function change_of(value) {
  const patch = member(value, "patch");
  const about = plain({ type: "object", members: value.members.filter(([name]) => name !== "patch") });
  const pointer = about.pointer ?? "";
  if (!patch) return { ...about, pointer };
  const all = ops_of(patch);
  const moved = all.findLast((op) => is_move(op) && lies(pointer, op.path));
  const from = moved && moved.from + pointer.slice(moved.path.length);
  const place_of = (path) => [pointer, from].find((place) => place !== undefined && lies(path, place));
  const inside = (path) => pointerOf(tokensOf(path).slice(tokensOf(place_of(path) ?? pointer).length));
  const is_here = (path) => place_of(path) !== undefined;
  const ops = all
    .filter((op) => op !== moved && (!is_move(op) || is_here(op.path)))
    .map((op) => ({ ...op, path: inside(op.path), from: op.from && is_here(op.from) ? inside(op.from) : op.from }));
  return {
    ...about,
    pointer,
    from,
    ops,
    left: all.filter((op) => is_move(op) && op !== moved && !is_here(op.path) && is_here(op.from)),
    took: ops.findLast(({ path }) => path === "")?.op === "remove",
  };
}

/** Whether an operation takes something to another place; a reorder leads onto itself. */
function is_move({ op, path, from }) {
  return op === "move" && path !== from;
}

/** Whether a pointer is that of a node, or leads into it. */
function lies(pointer, node) {
  return pointer === node || pointer.startsWith(`${node}/`);
}
