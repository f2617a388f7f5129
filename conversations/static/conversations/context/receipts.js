// Receipts: the list of what agents were given, and one of them in place of what the form asks for.

import { call } from "../../nola/lib/api.js";
import { author, nameActor, within } from "../../nola/lib/authors.js";
import { fullTime, when } from "../../nola/lib/dates.js";
import { count, h } from "../../nola/lib/dom.js";

const PAGE = 20;

/** The list; its rows lead to #receipt=…, which the page shows. */
export function list_of(part, me) {
  let cursor;

  async function page(from) {
    const { text } = await call("GET", "/api/context/receipts", { query: { limit: PAGE, cursor: from } });
    const { receipts, next } = JSON.parse(text);
    cursor = next;
    part("older").hidden = !next;
    return receipts.map((one) => row(one, me));
  }

  part("older").addEventListener("click", async () => {
    const rows = await page(cursor);
    part("receipts").append(...rows);
    rows[0]?.querySelector("a")?.focus();
  });

  return {
    async refresh() {
      const rows = await page();
      part("receipts").replaceChildren(...(rows.length ? rows : [h("li.ctx-none", {}, "None has been kept yet.")]));
    },
  };
}

function row(one, me) {
  const what = one.erased_by
    ? h("span.ui-faint", {}, `erased with a conversation, in revision ${one.erased_by}`)
    : h("a.ui-link", { href: `#receipt=${one.receipt}` }, `${count(one.tokens, "token", "tokens")} at revision ${one.revision}`);
  return h("li", {}, what, author(one.actor, me), when(one.at, { isAgo: true }));
}

/** Who was given what, and when, above a receipt. */
export function about(report, me) {
  const at = fullTime(report.at);
  const who = within(nameActor(report.actor, me).name);
  const back = h("a.ui-link", { href: `#${again(report.asked)}` }, "Ask for the same now");
  return [h("strong", {}, `Receipt ${report.receipt}`), h("span", {}, `what ${who === "you" ? "you were" : `${who} was`} given, ${at}`), back];
}

/** What was asked for then, as parameters of the form. */
function again({ keys = [], pointers = [], stimuli, ...rest }) {
  const found = new URLSearchParams([...keys.map((one) => ["key", one]), ...pointers.map((one) => ["pointer", one])]);
  const level = { realtime: 1, conversational: 2, analytical: 3 }[stimuli] ?? (stimuli === undefined ? undefined : 2);
  for (const [name, value] of Object.entries({ level, ...rest })) if (value !== undefined && name !== "at") found.set(name, value);
  return found;
}
