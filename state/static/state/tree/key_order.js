// The order of the keys: as the server has it, by the bytes of their names, or whatever their case. What one chooses is kept
// in the browser.

import { announce } from "../../nola/lib/dom.js";

const KEPT = "nola-tree-order";
const CASELESS = "caseless"; // as the parameter `order` of the API

/** Before (-1), behind (1) or the same (0): two keys in an order. */
export function compareKeys(one, other, order) {
  return (order === CASELESS && byBytes(caseless(one), caseless(other))) || byBytes(one, other);
}

/** As `caseless_order` in state/jsondoc/names.py has it. */
export function caseless(name) {
  return name.replaceAll("Σ", "σ").toLowerCase();
}

/** Order of UTF-8 bytes, which for half surrogates is not that of UTF-16. */
function byBytes(one, other) {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) {
    const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)];
    if (a !== b) return rank(a) - rank(b);
  }
  return one.length - other.length;
}

function rank(unit) {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** The choice on the page. */
export class KeyOrder {
  /** `app` has memory, filter, tree, view, actions. */
  constructor(app, buttons) {
    Object.assign(this, { app, buttons });
    app.tree.order = localStorage.getItem(KEPT) === CASELESS ? CASELESS : undefined;
    for (const button of buttons) button.onclick = () => this.set(button.dataset.order || undefined);
    this.tell();
  }

  toggle() {
    return this.set(this.app.tree.order ? undefined : CASELESS);
  }

  async set(order) {
    const { actions, filter, memory, tree, view } = this.app;
    if (order === tree.order) return;
    const tokens = view.current?.tokens;
    await memory.reorder(order);
    if (order) localStorage.setItem(KEPT, order);
    else localStorage.removeItem(KEPT);
    this.tell();
    announce(order ? "Keys in order, whatever their case" : "Keys in order, capitals first");
    if (filter.isOn) await filter.look();
    else if (tokens && !tree.find(tokens)) await actions.reveal(tokens);
    view.focus(view.current, { take: false });
  }

  tell() {
    for (const button of this.buttons)
      button.setAttribute("aria-pressed", String((button.dataset.order || undefined) === this.app.tree.order));
  }
}
