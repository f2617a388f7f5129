// All there is to know of one change, as the server tells it: brought to life on its own page, and in a dialog over the
// list of all.

import { nameChat } from "../changes/chats.js";
import { undo } from "../changes/undo.js";
import { DOORS, author } from "../../nola/lib/authors.js";
import { h } from "../../nola/lib/dom.js";
import { parse } from "../../nola/lib/json.js";
import { body, undoing } from "./rows.js";
import { entry_of } from "./source.js";
import { did } from "./words.js";

/** Show what changed, and let its buttons work. `go(seq)` leads to another change, such as the one that took it back. */
export function wire(article, go) {
  const part = (name) => article.querySelector(`[data-part=${name}]`);
  const { me } = article.dataset;
  const entry = entry_of(parse(JSON.parse(article.querySelector("#one-event").textContent)));
  entry.isOpen = true;
  part("said").replaceChildren(h("strong", {}, author(entry.actor, me)), " ", ...did([entry]));
  part("what").replaceChildren(body(entry));
  part("who").replaceChildren(author(entry.actor, me));
  part("door").textContent = DOORS[entry.source] ?? entry.source;
  for (const name of article.querySelectorAll(".one-patch [data-session]")) nameChat(name, name.dataset.session);
  for (const link of article.querySelectorAll("a[data-seq]")) link.onclick = (event) => follow(event, () => go(link.dataset.seq));
  for (const button of article.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard; // there is none on plain http, but the text can be marked
    button.onclick = () => copy(button);
  }
  const back = part("undo");
  if (!back) return;
  back.hidden = false;
  back.onclick = async () => {
    const made = await undo(...undo_of(entry, me));
    if (made !== undefined) go(made);
  };
}

function undo_of(entry, me) {
  const [what, title] = undoing([entry], { me });
  return [what, { title }];
}

async function copy(button) {
  await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
  button.textContent = "Copied";
}

/** A plain click on a link does something else than to lead away. */
export function follow(event, act) {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  act();
}

/** The keys of a change, where no field or dialog has them. */
export function key_of(event, article) {
  if (event.key !== "u" || event.ctrlKey || event.metaKey || event.altKey) return;
  article.querySelector("[data-part=undo]")?.click();
}
