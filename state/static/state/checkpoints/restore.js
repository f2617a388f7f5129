// The page of one checkpoint: the keys that restoring would change, each with its changes, and which of them to take.

import { patches_of, told } from "../changes/changes.js";
import { undo } from "../changes/undo.js";
import { call } from "../../nola/lib/api.js";
import { count, h } from "../../nola/lib/dom.js";
import { fold } from "../../nola/lib/fold.js";
import { shownName, spokenName } from "../../nola/lib/names.js";
import { member, parse, plain, tokensOf } from "../../nola/lib/json.js";

const AT_ONCE = 200; // keys in the list before a person asks for more
const WORDS = {
  remove: "is removed: it was not there then",
  add: "comes back",
  replace: "is replaced as a whole",
};

const GROUP = 4; // removed keys from which they are one row
const isRemoved = ([, kind]) => kind === "remove";

const page = document.getElementById("cp-one");
const form = document.getElementById("cp-restore");
const part = (name) => page.querySelector(`[data-part=${name}]`);

class Keys {
  constructor(would) {
    this.would = would;
    this.left = new Set(); // keys that are not to be restored
    this.may_choose = would.length > 1 && part("restore") && !form.elements.pointer;
    this.words = "";
    this.list = part("keys");
    const filter = part("filter");
    filter.hidden = would.length < 10;
    filter.oninput = () => {
      this.words = fold(filter.value.trim());
      this.show();
    };
    filter.onkeydown = (event) => event.key === "Enter" && event.preventDefault();
    this.show();
  }

  get found() {
    return this.would.filter(([key]) => fold(key).includes(this.words));
  }

  show() {
    const { found } = this;
    const goes = found.filter(isRemoved);
    const rest = found.filter((one) => !isRemoved(one));
    this.list.replaceChildren(...(this.may_choose ? [this.all(found)] : []));
    this.grow(this.list, rest, 0);
    if (goes.length < GROUP) this.grow(this.list, goes, 0);
    else this.list.append(this.group(goes));
  }

  grow(list, found, from) {
    list.append(...found.slice(from, from + AT_ONCE).map((one) => this.row(one)));
    const left = found.length - from - AT_ONCE;
    if (left <= 0) return;
    const more = h("button.cp-more", { type: "button" }, `Show more (${left.toLocaleString("en")} left)`);
    const item = h("li", {}, more);
    more.onclick = () => {
      item.remove();
      this.grow(list, found, from + AT_ONCE);
    };
    list.append(item);
  }

  /** Keys that would be removed, in one row until somebody wants to see them. */
  group(goes) {
    const list = h("ul.ui-rows");
    const details = h(
      "details",
      {},
      h(
        "summary",
        {},
        h("strong", {}, count(goes.length, "key", "keys")),
        h("span.cp-what.cp-remove", {}, "are removed: they were not there then"),
      ),
      list,
    );
    details.addEventListener("toggle", () => details.open && this.grow(list, goes, 0), { once: true });
    details.open = this.words !== "";
    return h("li.cp-key.cp-group", {}, this.may_choose ? this.choices(goes, "Remove all these keys") : undefined, details);
  }

  all(found) {
    const label = this.words ? `All ${found.length} found` : "All of them";
    this.box = this.choices(found);
    return h("li.cp-all", {}, h("label.ui-label", {}, this.box, label));
  }

  /** A box that takes or leaves all of these keys. */
  choices(found, label) {
    const box = h("input", { type: "checkbox", "aria-label": label });
    const left = found.filter(([key]) => this.left.has(key)).length;
    box.checked = !left;
    box.indeterminate = left > 0 && left < found.length;
    box.onchange = () => {
      for (const [key] of found) this.take(key, box.checked);
      this.show();
      const again = label ? `[aria-label="${label}"]` : "input";
      this.list.querySelector(again).focus();
    };
    return box;
  }

  take(key, is_taken) {
    if (is_taken) this.left.delete(key);
    else this.left.add(key);
    update();
  }

  row([key, kind, places]) {
    const details = h(
      "details",
      {},
      h(
        "summary",
        {},
        h("strong", {}, shownName(key)),
        h(`span.cp-what.cp-${kind}`, {}, WORDS[kind] ?? `${count(places, "place changes", "places change")}`),
      ),
    );
    details.addEventListener("toggle", () => details.open && look(details, { key }), { once: true });
    if (this.would.length === 1) details.open = true;
    return h("li.cp-key", {}, this.may_choose ? this.choice(key, kind) : undefined, details);
  }

  choice(key, kind) {
    const box = h("input", { type: "checkbox", "aria-label": `${kind === "remove" ? "Remove" : "Restore"} ${spokenName(key)}` });
    box.checked = !this.left.has(key);
    box.onchange = () => {
      this.take(key, box.checked);
      const found = this.found.filter(([one]) => !this.left.has(one)).length;
      this.box.checked = found === this.found.length;
      this.box.indeterminate = found > 0 && !this.box.checked;
    };
    return box;
  }
}

/** Show what would change in a key, or in a part of one. */
async function look(details, query) {
  const body = h("div.cp-changes", { role: "status" }, "Looking …");
  details.append(body);
  const pointer = form.elements.pointer?.value;
  const asked = pointer ? { pointer } : { ...query, mode: page.dataset.mode };
  try {
    const answer = parse((await call("GET", page.dataset.changes, { query: asked })).text);
    const left_out = plain(member(answer, "left_out"));
    body.replaceChildren(told(patches_of(member(answer, "patches"))));
    if (left_out) body.append(h("p.ui-faint", {}, `${count(left_out, "change is", "changes are")} too large to show.`));
    if (!pointer) body.append(...parts_of(plain(member(answer, "parts"))));
  } catch (error) {
    body.replaceChildren(h("p.cp-bad-text", {}, `What would change could not be read: ${error.message}`));
  }
}

/** A way to restore a part of a key alone. */
function parts_of(pointers) {
  if (!pointers.length) return [];
  const select = h("select.ui-input", { "aria-label": "A part of it" });
  select.append(h("option", { value: "" }, "Restore only a part of it …"));
  for (const pointer of pointers) {
    const [, ...names] = tokensOf(pointer);
    select.append(h("option", { value: pointer }, names.map(shownName).join(" › ")));
  }
  select.onchange = () => select.value && location.assign(`?${new URLSearchParams({ pointer: select.value })}`);
  return [select];
}

/** What beside the state is missing, and would come back. */
async function missing() {
  const line = part("parts");
  if (!page.dataset.missing || !line) return;
  try {
    const counts = Object.entries(JSON.parse((await call("GET", page.dataset.missing)).text));
    const some = counts.filter(([, number]) => number).map(([what, number]) => count(number, what.slice(0, -1), what));
    const names = counts.map(([what]) => what).join(" and ");
    const text = some.length
      ? `Bring back ${some.join(" and ")} that ${some.length === 1 && some[0].startsWith("1 ") ? "is" : "are"} missing or deleted. What was said since stays.`
      : `All ${names} of this checkpoint are there.`;
    line.querySelector("span").textContent = text;
    const box = line.querySelector("input");
    if (box) box.hidden = box.disabled = !some.length;
    line.hidden = false;
    is_missing = some.length > 0;
  } catch (error) {
    line.textContent = `What is missing of conversations could not be read: ${error.message}`;
    line.hidden = false;
  }
  update();
}

let is_missing = false;
let keys;

/** Let the button say what it does. */
function update() {
  const button = part("restore");
  if (!button) return;
  const taken = keys ? keys.would.filter(([key]) => !keys.left.has(key)) : [];
  const goes = taken.filter(isRemoved).length;
  const with_parts = is_missing && form.elements.parts?.checked;
  part("foot").hidden = !keys && !is_missing;
  button.disabled = !taken.length && !with_parts;
  button.classList.toggle("ui-danger", goes > 0);
  button.textContent = form.elements.pointer ? "Restore this part" : said(taken.length - goes, goes);
}

/** What the button does to keys. */
function said(back, goes) {
  if (!goes) return `Restore ${back ? count(back, "key", "keys") : "conversations"}`;
  if (!back) return `Remove ${count(goes, "key", "keys")}`;
  return `Restore ${count(back, "key", "keys")}, remove ${goes.toLocaleString("en")}`;
}

form.addEventListener("submit", () => {
  if (!keys?.left.size) return;
  const taken = keys.would.map(([key]) => key).filter((key) => !keys.left.has(key));
  form.append(h("input", { type: "hidden", name: "keys", value: JSON.stringify(taken) }));
});
form.elements.parts?.addEventListener("change", update);

/** The button that a restore leaves shows first what an undo would change, and what is in its way. */
for (const left of document.querySelectorAll(`form[action="${page.dataset.undo}"]`)) {
  left.onsubmit = async (event) => {
    event.preventDefault();
    const { batch, revision } = left.elements;
    const what = batch ? { batch: batch.value } : { revision: Number(revision.value) };
    if (await undo(what, { title: "Undo this restore" })) location.reload();
  };
}

const would = JSON.parse(document.getElementById("cp-would").textContent);
if (would.length) keys = new Keys(would);
update();
missing();
