// A link to what is not there (any more): it is said who took it and when, and offered back.

import { call } from "../../nola/lib/api.js";
import { nameActor, within } from "../../nola/lib/authors.js";
import { ago } from "../../nola/lib/dates.js";
import { pointerOf, tokensOf } from "../../nola/lib/json.js";
import { shownName } from "../../nola/lib/names.js";
import { onward } from "./pages.js";
import { bringBack } from "./restore.js";

const FAR = 10; // pages that are looked through, each a thousand changes

/** Say why a way leads nowhere, where it ends. */
export async function tellMissing({ actions, memory, mine, tree }, panel, tokens) {
  let [parent, at] = [tree.root, 0];
  while (parent.kid(tokens[at])) parent = parent.kid(tokens[at++]);
  const name = `“${shownName(tokens[at])}”`;
  const where = parent.isRoot ? "" : ` in “${shownName(parent.label)}”`;
  if (memory.lens) return mine.say(`${name} is not there${where} in what is shown.`, [], 0);
  const gone = await find(parent, tokens.slice(0, at + 1)).catch(() => undefined); // then it is said without
  if (!gone) return mine.say(`There is no ${name}${where}.`, [], 0);
  const who = `${within(nameActor(gone.actor, memory.me).name)}, ${ago(gone.at)}`;
  if (gone.renamed)
    return mine.say(`${name}${where} is called “${shownName(gone.renamed)}” now (${who}).`, [
      ["Go there", () => actions.reveal([...parent.tokens, gone.renamed, ...tokens.slice(at + 1)])],
    ], 0);
  const back = () => bringBack(panel, parent, { ...gone, pointer: tokensOf(gone.pointer) });
  return mine.say(`${name}${where} was removed by ${who}.`, [["Bring it back …", back]], 0);
}

/** What is told of a removed member, item or key. */
async function find(parent, tokens) {
  const pointer = pointerOf(tokens);
  const query = { pointer: parent.isRoot ? undefined : parent.pointer, limit: 1000 };
  const { found } = await onward(query, FAR, async (asked) => {
    const { text, next } = await call("GET", "/api/deleted", { query: asked });
    const { deleted } = JSON.parse(text);
    return { found: deleted.filter((one) => (one.was?.pointer ?? one.pointer) === pointer || one.pointer === pointer), next };
  });
  return found[0];
}
