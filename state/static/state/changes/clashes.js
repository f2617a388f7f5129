// Later changes in the way of an undo: each place with its three sides, and one choice for all of them.

import { count, h, icon } from "../../nola/lib/dom.js";
import { tokensOf } from "../../nola/lib/json.js";
import { href } from "./changes.js";
import { chat } from "./kinds.js";
import { worth } from "./values.js";

const MOST = 20; // places shown

/** The places, and the choice: `choose("theirs")` keeps the newer, `choose("mine")` takes it back anyway. */
export function conflicts(met, choose) {
  const said = met.length === 1 ? "This was changed again since." : `${count(met.length, "place was", "places were")} changed again since.`;
  const rest = met.length > MOST ? [h("p.chg-none", {}, `and ${met.length - MOST} more`)] : [];
  return h(
    "section.chg-clash.ui-note",
    { "aria-label": "Changed again since" },
    h("p.chg-clash-said", { role: "alert" }, icon("call_split"), h("strong", {}, said), " What shall hold there?"),
    h(
      "div.chg-sides-choice",
      { role: "radiogroup", "aria-label": "What shall hold there" },
      option("theirs", "Keep the newer", "and take back the rest", choose),
      option("mine", "Take it back anyway", "the newer ones go too", choose),
    ),
    ...met.slice(0, MOST).map(one_place),
    ...rest,
  );
}

function option(value, label, hint, choose) {
  const input = h("input", { type: "radio", name: "chg-prefer", value, onchange: () => choose(value) });
  return h("label.chg-option", {}, input, h("span", {}, h("strong", {}, label), " ", h("span.chg-word", {}, hint)));
}

function one_place({ kind, key, pointer, by, base, theirs, yours }) {
  const names = tokensOf(pointer);
  const place =
    kind === "state"
      ? h("a.chg-place", { href: href([key, ...names]), target: "_blank", rel: "noopener" }, [key, ...names].join(" › "))
      : chat(key, about(kind, names));
  return h(
    "div.chg-clash-place",
    {},
    h("div", {}, place, by && h("span.chg-word", {}, ` changed again (change ${by})`)),
    h("dl.chg-sides", {}, ...side("Then", base, "span"), ...side("Now", theirs, "ins"), ...side("Undo would put", yours, "del")),
  );
}

/** A place in a conversation, in words: the whole of it, a message, or a field. */
function about(kind, names) {
  const field = names.at(-1) === "there" ? "" : ` · ${names.at(-1)}`;
  return kind === "message" ? `message ${names[0]}${field}` : `the conversation${field}`;
}

function side(label, value, tag) {
  return [h("dt", {}, label), h("dd", {}, value ? worth(value, tag) : h("em.chg-word", {}, "nothing"))];
}
