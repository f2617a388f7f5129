// The page of one proposal: what it would change, place by place, and which of them to accept.

import { href, told } from "../changes/changes.js";
import { worth } from "../changes/values.js";
import { op_of } from "../tree/feed.js";
import { call, Problem } from "../../nola/lib/api.js";
import { count, h, icon, sentence } from "../../nola/lib/dom.js";
import { member, parse, pointerOf, tokensOf } from "../../nola/lib/json.js";

const MOST = 500; // places that are shown with a box of their own
const MOST_CONFLICTS = 20; // that are shown with their sides

const page = document.getElementById("prop-one");
const form = document.getElementById("prop-form");
const part = (name) => page.querySelector(`[data-part=${name}]`);
const waits = Boolean(page.dataset.waits);
const boxes = []; // of the operations that can be chosen: {pointer, box}
let met = []; // the pointers at which something was changed since

async function look() {
  const path = `/api/proposals/${page.dataset.number}`;
  try {
    const answer = parse((await call("GET", path)).text);
    const conflicts = member(answer, "conflicts")?.items ?? [];
    met = conflicts.map((one) => pointerOf(place_of(one)));
    show(member(answer, "operations").items);
    if (conflicts.length) clash(conflicts);
  } catch (error) {
    if (!(error instanceof Problem) && !(error instanceof TypeError)) throw error;
    const why = error instanceof Problem ? error.message : "the server does not answer";
    part("keys").replaceChildren(h("p.ui-note.ui-bad", {}, `${sentence(`what it would change could not be read: ${why}`)}.`));
  }
  update();
}

/** The operations, below the keys that they change. */
function show(operations) {
  const may_choose = waits && operations.length > 1 && operations.length <= MOST;
  const keys = new Map();
  for (const one of operations) {
    const pointer = member(one, "pointer").text;
    const [key] = tokensOf(pointer);
    if (!keys.has(key)) keys.set(key, h("ul.prop-ops.ui-rows"));
    keys.get(key).append(row(key, pointer, op_of(one), may_choose, Boolean(member(one, "done"))));
  }
  part("keys").replaceChildren(...[...keys].map(([key, list]) => of_key(key, list)));
  part("all").hidden = !may_choose;
}

function of_key(key, list) {
  const name = h("a.chg-place", { href: href([key]), title: "Show in the tree" }, key || "(empty name)");
  return h("section.prop-key.ui-card", {}, h("h3.ui-heading", {}, name), list);
}

function row(key, pointer, op, may_choose, is_done) {
  const body = told([[key, [op]]], { heads: false });
  const since = is_done ? "there already" : is_late(pointer) ? "changed since" : "";
  const late = since ? h(`span.ui-chip${is_done ? ".ui-good" : ""}`, {}, since) : undefined;
  if (!may_choose) return h("li.prop-op", {}, body, late);
  const box = h("input", { type: "checkbox", checked: true, "aria-label": `Accept ${tokensOf(pointer).join(" › ")}` });
  box.onchange = () => choose(pointer, box.checked);
  boxes.push({ pointer, box });
  return h("li.prop-op", {}, box, body, late);
}

/** Whether something was changed since at a place, in it or around it. */
function is_late(pointer) {
  return met.some((one) => `${one}/`.startsWith(`${pointer}/`) || `${pointer}/`.startsWith(`${one}/`));
}

function place_of(conflict) {
  return [member(conflict, "key").text, ...tokensOf(member(conflict, "pointer").text)];
}

/** What lies in a place goes with it, and what it lies in cannot be taken without it. */
function choose(pointer, is_taken) {
  for (const one of boxes) {
    if (one.pointer === pointer || one.pointer.startsWith(`${pointer}/`)) one.box.checked = is_taken;
    else if (!is_taken && pointer.startsWith(`${one.pointer}/`)) one.box.checked = false;
  }
  update();
}

/** What was changed since where it would change something, and who shall win. */
function clash(conflicts) {
  const some = count(conflicts.length, "place was", "places were");
  const said = conflicts.length === 1 ? "One place was changed since." : `${some} changed since.`;
  const box = part("conflicts");
  box.replaceChildren(
    h(
      "section.prop-clash.ui-note",
      { "aria-label": "Changed since" },
      h("p.chg-clash-said", {}, icon("call_split"), h("strong", {}, said), " What shall hold there?"),
      h(
        "div.chg-sides-choice",
        { role: "radiogroup", "aria-label": "What shall hold there" },
        option("theirs", "Keep what is there now", "and take the rest of the proposal"),
        option("mine", "Take the proposal", "what is there now goes"),
      ),
      ...conflicts.slice(0, MOST_CONFLICTS).map(one_place),
    ),
  );
  box.hidden = false;
}

function option(value, label, hint) {
  const input = h("input", { type: "radio", name: "prefer", value, onchange: update });
  return h("label.chg-option", {}, input, h("span", {}, h("strong", {}, label), " ", h("span.chg-word", {}, hint)));
}

function one_place(one) {
  const names = place_of(one);
  const side = (label, name, tag) => {
    const value = member(one, name);
    return [h("dt", {}, label), h("dd", {}, value ? worth(value, tag) : h("em.chg-word", {}, "nothing"))];
  };
  return h(
    "div.chg-clash-place",
    {},
    h("a.chg-place", { href: href(names) }, names.join(" › ")),
    h("dl.chg-sides", {}, ...side("Then", "base", "span"), ...side("Now", "theirs", "del"), ...side("Proposed", "yours", "ins")),
  );
}

const taken = () => boxes.filter(({ box }) => box.checked);

/** Let the button say what it does. */
function update() {
  const all = part("all").querySelector("input");
  const chosen = taken().length;
  all.checked = chosen === boxes.length;
  all.indeterminate = chosen > 0 && chosen < boxes.length;
  const accept = part("accept");
  if (!accept) return;
  const meets = boxes.length ? taken().some(({ pointer }) => is_late(pointer)) : met.length > 0;
  const is_open = meets && !form.elements.prefer.value;
  accept.disabled = (boxes.length > 0 && !chosen) || is_open;
  part("hint").textContent = is_open ? "Say above what shall hold." : "";
  accept.textContent = !boxes.length ? "Accept" : chosen === boxes.length ? "Accept all" : `Accept ${chosen} of ${boxes.length}`;
}

part("all").querySelector("input").onchange = ({ target }) => {
  for (const { box } of boxes) box.checked = target.checked;
  update();
};

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("[type=checkbox], [type=radio]")) event.preventDefault(); // it would reject
});

form.addEventListener("submit", (event) => {
  const chosen = taken();
  if (event.submitter?.value !== "accept" || chosen.length === boxes.length) return;
  const pointers = JSON.stringify([...new Set(chosen.map(({ pointer }) => pointer))]);
  form.append(h("input", { type: "hidden", name: "pointers", value: pointers }));
});

look();
