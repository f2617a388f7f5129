// Putting back what was: a former value in the place of its node, and what was deleted. What would change is shown
// first, and shown anew when somebody changes the same meanwhile.

import { patches_of } from "../changes/changes.js";
import { because, call } from "../../nola/lib/api.js";
import { fullTime } from "../../nola/lib/dates.js";
import { member, parse, pointerOf } from "../../nola/lib/json.js";
import { Gone } from "./memory.js";
import { propose } from "./proposal.js";
import * as writes from "./writes.js";

/** Put the value that a node had after a change in its place. Returns the revision made, if any. */
export async function putBack(panel, node, { revision, at, pointer }) {
  const { memory } = panel.app;
  const was = { pointer: pointerOf([node.tokens[0]]) + pointer, at: revision };
  let [text, place] = [];
  return propose(panel, node, {
    title: `Put “${node.label}” back as it was`,
    about: `As it was on ${fullTime(at)}, after change ${revision}.`,
    action: "Put it back",
    done: `return of ${node.label}`,
    said: `Put “${node.label}” back`,
    look: async () => {
      text ??= (await call("GET", "/api/state", { query: was })).text;
      if (!node.isAttached) throw new Gone("it is not there any more");
      place = { tokens: node.tokens, revision: memory.revision };
      return rehearsed(`{"op":"put","pointer":${JSON.stringify(pointerOf(place.tokens))},"value":${text}}`);
    },
    act: () => memory.replace(place, text, because(`put back as it was after change ${revision}`)),
  });
}

/** Bring back what is gone from a container, or a key. Returns the revision made, if any. */
export async function bringBack(panel, container, { pointer, was, position }) {
  const { memory, actions } = panel.app;
  const label = pointer.at(-1);
  let text;
  const made = await propose(panel, container, {
    title: `Bring “${label}” back`,
    about: "This is added, and nothing else is changed.",
    action: "Bring it back",
    done: `return of ${label}`,
    said: `Brought “${label}” back`,
    look: async () => {
      text ??= (await call("GET", "/api/state", { query: was })).text;
      if (!container.isRoot && !container.isAttached) throw new Gone("what it was in is not there any more");
      const tokens = [...container.tokens, label];
      if (container.type === "object" && (await memory.has(tokens)))
        throw new Gone(`there is “${label}” already; rename or remove that one first`);
      return [[tokens[0], [{ op: "add", path: pointerOf(tokens.slice(1)), value: parse(text) }]]];
    },
    act: () => writes.bring_back(memory, container, label, text, position),
  });
  if (made) await actions.reveal([...container.tokens, label]);
  return made;
}

/** What an operation of a transaction would change: [[key, patch], …]. */
async function rehearsed(operation) {
  const { text } = await call("POST", "/api/transactions", {
    query: { was: true },
    body: `{"operations":[${operation}],"dry_run":true}`,
    type: "application/json",
  });
  return patches_of(member(parse(text), "patches"));
}
