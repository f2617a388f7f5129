// What the lists of the panel that are read a page at a time have in common: what happened to a value, what is gone.

import { h } from "../../nola/lib/dom.js";

/** A list, what went wrong with it, and a button that reads on; `fill(rows, next)` of the one that extends it shows. */
export class Pages {
  constructor(panel, list, label) {
    this.panel = panel;
    this.list = h(list);
    this.failed = h("div");
    this.more = h(
      "button.ui-button.ui-small.tp-older",
      { type: "button", hidden: true, onclick: () => this.older() },
      label,
    );
  }
}

/** The first page that has something, from a query on and over so many at most: {found, next}, as `read(query)` gives
 *  them for one. */
export async function onward(query, most, read) {
  let [found, next] = [[], query];
  for (let pages = 0; next && !found.length && pages < most; pages += 1) ({ found, next } = await read(next));
  return { found, next };
}
