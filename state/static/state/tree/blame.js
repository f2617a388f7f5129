// Who wrote a value: for one that has no parts the change that set it, for an object or a list its authors.

import { about, call } from "../../nola/lib/api.js";
import { author, nameActor, through } from "../../nola/lib/authors.js";
import { when } from "../../nola/lib/dates.js";
import { count, h, icon } from "../../nola/lib/dom.js";
import { tokensOf } from "../../nola/lib/json.js";
import { shownName } from "../../nola/lib/names.js";

const BLAME = "/api/blame";

/** The elements that say who wrote a node, now or at a revision. `reveal(tokens)` leads to a leaf. Throws what `call` throws. */
export async function authorship(node, { signal, at, me, reveal }) {
  const { tokens } = node;
  const hasParts = node.isContainer && node.size > 0;
  const { path, query } = about(BLAME, tokens, { by: hasParts ? "author" : undefined, at });
  const { text } = await call("GET", path, { query, signal });
  if (hasParts) return JSON.parse(text).authors.map((one) => of_parts(one, tokens, me, reveal));
  return Object.values(JSON.parse(text).revisions).map((revision) => h("div.tp-leaf", {}, ...who(revision, me)));
}

/** Who made a revision, when, through which door, and why. */
export function who({ actor, at, source, reason, revision }, me) {
  const { kind, icon: symbol } = nameActor(actor, me);
  return [
    h(
      `div.tp-by.tp-by-${kind}`,
      {},
      icon(symbol),
      h("strong.tp-actor", {}, author(actor, me)),
      h("span.tp-door", {}, through(source)),
      when(at, { isAgo: true, about: `change ${revision}` }),
    ),
    ...(reason ? [h("p.tp-why", {}, reason)] : []),
  ];
}

/** An author of an object or a list, with the newest of what is theirs. */
function of_parts({ actor, leaves, last, newest }, here, me, reveal) {
  const { kind, icon: symbol } = nameActor(actor, me);
  const lead = (pointer) => {
    const tokens = [here[0], ...tokensOf(pointer)];
    return h(
      "li",
      {},
      h(
        "button.tp-lead",
        { type: "button", title: "Show it in the tree", onclick: () => reveal(tokens) },
        tokens.slice(here.length).map(shownName).join(" › "),
      ),
    );
  };
  return h(
    "details.tp-author",
    {},
    h(
      `summary.tp-by.tp-by-${kind}`,
      {},
      icon("chevron_right"),
      icon(symbol),
      h("strong.tp-actor", {}, author(actor, me)),
      h("span.tp-door", {}, count(leaves, "value", "values")),
      when(last.at, { isAgo: true, about: `change ${last.revision}` }),
    ),
    ...(last.reason ? [h("p.tp-why", {}, last.reason)] : []),
    h("ul.tp-leads", {}, ...newest.map(lead)),
    ...(leaves > newest.length
      ? [h("p.tp-note", {}, `and ${(leaves - newest.length).toLocaleString("en")} older`)]
      : []),
  );
}
