// What would come of files, and what came, in words.

import { bytes, count, h, icon } from "../../nola/lib/dom.js";

const WHAT = { new: "new", grown: "grows", there: "here already", kept: "stays as it is here", skipped: "left out", failed: "failed" };
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const sum = (files, unit, kinds) => files.reduce((all, one) => all + kinds.reduce((of, kind) => of + (one[unit][kind] ?? 0), 0), 0);
const COMES = ["new", "grown"];

/** What would come: `does` has `bring({files, state, replace})`, and the button that leaves it. */
export function* preview(state, data, does) {
  const { files } = state;
  const taken = new Set(files.filter(comes).map((one) => one.number));
  const keeps = files.some((one) => one.conversations.kept || one.messages.kept);
  const keys = sum(files, "keys", COMES);
  const replace = h("input", { type: "checkbox" });
  const with_state = h("input", { type: "checkbox", checked: true });
  const button = h("button.ui-button.ui-primary", { type: "button" });
  const head = h("h2.ui-heading");
  const update = () => {
    const some = files.filter((one) => taken.has(one.number));
    const news = some.some(comes) || replace.checked;
    const idle = files.every(is_empty) ? "There is nothing to import in it" : "Nothing is chosen";
    head.textContent = some.some(comes) ? `${sentence_of(some)} would come` : files.some(comes) || files.every(is_empty) ? idle : "Nothing new: all of it is here already";
    button.disabled = !some.length || !news;
    button.textContent = some.length === files.length || !some.length ? "Import" : `Import ${count(some.length, "file", "files")}`;
  };
  button.onclick = async () => {
    button.disabled = true;
    await does.bring({ files: [...taken], state: with_state.checked, replace: replace.checked });
    update(); // it is here still where that was refused
  };
  replace.onchange = () => {
    if (replace.checked) for (const one of files) if (one.conversations.kept || one.messages.kept) taken.add(one.number);
    for (const box of boxes) box.checked = taken.has(Number(box.value));
    update();
  };
  const boxes = [];
  yield head;
  for (const one of files) {
    const choice = files.length > 1 ? h("input", { type: "checkbox", value: one.number, checked: taken.has(one.number) }) : undefined;
    if (choice) {
      boxes.push(choice);
      choice.onchange = () => {
        if (choice.checked) taken.add(one.number);
        else taken.delete(one.number);
        update();
      };
    }
    yield card(one, choice, "would");
  }
  const more = h("div.imp-how");
  if (keys && data.may_state) more.append(h("label.ui-label", {}, with_state, `Bring ${count(keys, "document", "documents")} that ${keys === 1 ? "is" : "are"} no talk into the tree, under imported`));
  if (keeps) more.append(h("label.ui-label", {}, replace, "Let the files win over what was changed or deleted here since"));
  if (more.childElementCount) yield more;
  if (files.length > 1) yield h("p.ui-faint", {}, "Where files hold the same conversation, it comes once.");
  yield h("div.imp-does.ui-row", {}, button, does.away);
  button.hidden = files.every(is_empty);
  update();
}

/** What came. */
export function* outcome(state) {
  const { files } = state;
  const came = files.some(comes) && state.revisions;
  const text = state.is_undone ? "Undone: what came is gone again" : came ? `${sentence_of(files)} came` : "Nothing new: all of it was here already";
  yield h("h2.ui-heading.imp-end", {}, icon(state.is_undone ? "undo" : "check_circle"), text);
  for (const one of files) yield card(one, undefined, "did");
}

const comes = (one) => sum([one], "conversations", COMES) + sum([one], "messages", COMES) + sum([one], "keys", COMES) > 0;

const is_empty = (one) => !one.total && !sum([one], "keys", [...COMES, "there", "kept", "skipped"]);

/** How much of them is new: "12 conversations with 340 messages". */
function sentence_of(files) {
  const [fresh, grown, said] = [sum(files, "conversations", ["new"]), sum(files, "conversations", ["grown"]), sum(files, "messages", ["new"])];
  const keys = sum(files, "keys", COMES);
  const parts = [
    fresh ? count(fresh, "new conversation", "new conversations") : "",
    grown ? `${count(grown, "conversation", "conversations")} that ${grown === 1 ? "has" : "have"} grown` : "",
  ].filter(Boolean);
  const talk = parts.length ? `${parts.join(" and ")}${said ? `, ${count(said, "message", "messages")}` : ""}` : "";
  return [talk, keys ? count(keys, "document for the tree", "documents for the tree") : ""].filter(Boolean).join(", and ");
}

function card(one, choice, tense) {
  const name = h("strong.imp-name", {}, one.name);
  const head = choice ? h("label.ui-label", {}, choice, name) : name;
  const nothing = is_empty(one);
  return h(
    "section.imp-file.ui-card",
    { "aria-label": one.name },
    h("div.ui-apart", {}, head, h("span.ui-faint", {}, bytes(one.size))),
    nothing ? undefined : counts(one),
    one.first.length ? h("ul.imp-first.ui-rows", {}, ...one.first.map(row), one.total > one.first.length ? h("li.ui-faint", {}, `and ${(one.total - one.first.length).toLocaleString("en")} more`) : undefined) : undefined,
    one.left.length ? left(one, tense) : nothing ? h("p.ui-soft", {}, "There is no conversation in it.") : undefined,
    one.notes.length ? h("details.imp-notes", {}, h("summary.ui-soft", {}, "To know"), h("ul", {}, ...one.notes.map(told))) : undefined,
  );
}

function counts(one) {
  const rows = ["conversations", "messages"].filter((unit) => Object.values(one[unit]).some(Boolean));
  const kinds = ["new", "grown", "there", "kept", "skipped", "failed"].filter((kind) => kind === "new" || rows.some((unit) => one[unit][kind]));
  const heads = { new: "new", grown: "grow", there: "here already", kept: "differ, stay", skipped: "left out", failed: "failed" };
  return h(
    "div.imp-scroll",
    { tabIndex: 0, role: "region", "aria-label": `Counts of ${one.name}` },
    h(
      "table.imp-counts",
      {},
      h("thead", {}, h("tr", {}, h("td"), ...kinds.map((kind) => h("th", { scope: "col" }, heads[kind])))),
      h("tbody", {}, ...rows.map((unit) => h("tr", {}, h("th", { scope: "row" }, unit), ...kinds.map((kind) => h("td", {}, (one[unit][kind] ?? 0).toLocaleString("en")))))),
    ),
  );
}

function row({ name, at, messages, what }) {
  const facts = [at ? DAY.format(new Date(at)) : "", count(messages, "message", "messages"), what === "new" ? "" : (WHAT[what] ?? "")];
  return h("li.ui-apart", {}, h("span.imp-name", {}, name), h("span.ui-faint", {}, facts.filter(Boolean).join(" · ")));
}

function left(one, tense) {
  const heading = tense === "would" ? "What will not come as it is in the file" : "What did not come as it is in the file";
  return h(
    "div.imp-left",
    {},
    h("h3", {}, heading),
    h("ul", {}, ...one.left.map(told), one.more_left ? h("li.ui-faint", {}, `and ${one.more_left.toLocaleString("en")} more kinds of things`) : undefined),
  );
}

function told({ kind, what, where, more, count: number, unit }) {
  const places = more ? `${where.join("; ")}; and ${more.toLocaleString("en")} more places` : where.join("; ");
  const many = number > 1 && !/^\d/.test(what) ? `${number.toLocaleString("en")} ${unit}: ` : "";
  return h(`li.imp-${kind}`, {}, `${many}${what}`, h("small.ui-faint", {}, places));
}
