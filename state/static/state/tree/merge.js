// Three versions of a value made one: mine where we both changed the same, otherwise whatever was changed.

import { member, pointerOf, write } from "../../nola/lib/json.js";

/** Returns the value, and as `clashes` every place where mine was taken over a change of theirs. Lists are compared item
 *  by item if all three are of one length; otherwise a list that both have changed is one place. */
export function merge(base, mine, theirs, pointer) {
  const clashes = [];
  return { value: merged(base, mine, theirs, pointer, clashes), clashes };
}

function merged(base, mine, theirs, pointer, clashes) {
  if (is_same(mine, base) || is_same(mine, theirs)) return theirs;
  if (is_same(theirs, base)) return mine;
  const all = [base, mine, theirs];
  const below = (name, ...three) => merged(...three, pointer + pointerOf([name]), clashes);
  if (all.every((one) => one?.type === "object")) return { type: "object", members: members(...all, below) };
  if (all.every((one) => one?.type === "array" && one.items.length === mine?.items?.length)) {
    return { type: "array", items: mine.items.map((item, at) => below(at, base.items[at], item, theirs.items[at])) };
  }
  clashes.push({ pointer, theirs, yours: mine });
  return mine;
}

function members(base, mine, theirs, below) {
  const names = new Set([...theirs.members, ...mine.members].map(([name]) => name));
  return [...names]
    .map((name) => [name, below(name, member(base, name), member(mine, name), member(theirs, name))])
    .filter(([, value]) => value !== undefined);
}

function is_same(one, other) {
  return one === other || (one !== undefined && other !== undefined && write(one) === write(other));
}
