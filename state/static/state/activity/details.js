// The details of a change, over the list: opened by a row, closed by Escape or the way back of the browser. The address is
// that of the page of the change meanwhile, so that it can be copied, and opened anew.

import { Problem, call } from "../../nola/lib/api.js";
import { h, icon, sentence } from "../../nola/lib/dom.js";
import { key_of, wire } from "./one.js";
import { address, changeAt } from "./rows.js";

export class Details {
  constructor() {
    this.dialog = null;
    addEventListener("popstate", () => this.follow());
  }

  /** Open a change; in the address it is a step of its own. */
  open(seq) {
    const how = this.dialog ? "replaceState" : "pushState";
    history[how](null, "", address(seq) + location.hash);
    return this.show(seq);
  }

  /** Show what the address says. */
  follow() {
    const seq = changeAt(location.pathname);
    if (seq) this.show(seq);
    else this.dialog?.close();
  }

  async show(seq) {
    this.build(seq);
    const { content } = this;
    try {
      const found = await read(seq);
      if (content !== this.content) return; // closed, or another was asked for
      if (!found) return location.reload(); // signed out: the way to the page of the change leads over the sign-in
      content.replaceChildren(found);
      wire(found, (other) => this.open(other));
    } catch (error) {
      content.replaceChildren(h("p.ui-note.ui-bad", { role: "alert" }, reason(error)));
    }
    content.removeAttribute("aria-busy");
  }

  build(seq) {
    this.content = h("div.one-body.ui-dialog-body", { tabIndex: 0, "aria-busy": "true", role: "region", "aria-label": `Change ${seq}` });
    const wait = h("div.ui-wait", { "aria-hidden": "true" }, h("i"), h("i"), h("i"));
    this.content.append(wait);
    const close = h("button.ui-icon", { type: "button", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.dialog.close() }, icon("close"));
    const head = h("h2.ui-dialog-head", { id: "one-title" }, icon("commit"), `Change ${seq}`, close);
    if (this.dialog) return this.dialog.replaceChildren(head, this.content);
    this.dialog = h("dialog.one-dialog.ui-dialog.ui", { "aria-labelledby": "one-title" }, head, this.content);
    this.dialog.onclose = () => this.closed();
    this.dialog.onclick = ({ target }) => target === this.dialog && this.dialog.close(); // beside it
    this.dialog.onkeydown = (event) => {
      event.stopPropagation(); // the keys of the list rest meanwhile
      key_of(event, this.dialog);
    };
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.content.focus();
    return undefined;
  }

  closed() {
    this.dialog.remove();
    this.dialog = this.content = null;
    if (changeAt(location.pathname)) history.back();
  }
}

/** The article of a change, from its page; null where that leads to the sign-in. */
async function read(seq) {
  const { text } = await call("GET", address(seq), { headers: { Accept: "text/html" } });
  const found = new DOMParser().parseFromString(text, "text/html").getElementById("one");
  return found && document.adoptNode(found);
}

function reason(error) {
  if (!(error instanceof Problem)) return "The server does not answer. Try again in a moment.";
  return error.status === 404 ? "There is no such change." : `${sentence(error.message)}.`;
}
