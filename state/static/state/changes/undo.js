// Taking changes back, after a look at what that does: undo(what, {title}) opens a dialog and resolves to the revision
// it made, or to undefined where it was cancelled or nothing changed. `what` is {revision}, {revisions}, {batch} or
// {actor, since, until}.

import { Problem, call, send } from "../../nola/lib/api.js";
import { h, icon, sentence } from "../../nola/lib/dom.js";
import { member, parse, plain } from "../../nola/lib/json.js";
import { patches_of, told } from "./changes.js";
import { said } from "./kinds.js";
import { conflicts } from "./clashes.js";

const UNDO = "/api/undo";

export async function undo(what, { title = "Undo this change" } = {}) {
  const dialog = new Undo(what, title);
  return dialog.done;
}

class Undo {
  constructor(what, title) {
    this.what = { ...what };
    this.prefer = undefined;
    this.done = new Promise((resolve) => (this.resolve = resolve));
    this.before = document.activeElement;
    this.build(title);
    document.body.append(this.element);
    this.element.showModal();
    this.preview();
  }

  build(title) {
    this.result = h("div.chg-result");
    this.body = h("div.chg-body.ui-dialog-body", { tabIndex: 0, role: "region", "aria-label": "What changes" }, this.result);
    this.said = h("p.chg-said.ui-soft", { role: "status" });
    this.reason = h("input.ui-input", { type: "text", maxLength: 1000, placeholder: "Why (optional)" });
    this.reason.setAttribute("aria-label", "Why");
    this.confirm = h("button.ui-button.ui-primary", { type: "submit", disabled: true }, "Undo");
    const cancel = h("button.ui-button", { type: "button", onclick: () => this.close() }, "Cancel");
    const form = h(
      "form",
      { onsubmit: (event) => this.commit(event) },
      h("h2.ui-dialog-head", { id: "chg-title" }, icon("undo"), title),
      this.body,
      this.said,
      h("div.ui-dialog-foot", {}, this.reason, cancel, this.confirm),
    );
    this.element = h("dialog.chg-dialog.ui-dialog", { "aria-labelledby": "chg-title" }, form);
    this.element.addEventListener("close", () => this.close());
    this.element.addEventListener("keydown", (event) => event.stopPropagation()); // the page's own keys rest meanwhile
  }

  close(revision = undefined) {
    if (!this.element.isConnected) return;
    this.element.remove();
    if (this.before?.isConnected) this.before.focus();
    this.resolve(revision);
  }

  say(text, is_bad = false) {
    this.said.textContent = text;
    this.said.hidden = !text;
    this.said.classList.toggle("chg-bad", is_bad);
  }

  /** The call, as a preview or for good. Of an actor's changes those are meant that were there when it was opened. */
  async request(dry_run) {
    if (this.what.actor && this.what.until === undefined)
      this.what.until = String((await call("GET", "/api/history", { query: { limit: 1 } })).revision);
    const body = JSON.stringify({ ...this.what, prefer: this.prefer, dry_run: dry_run || undefined });
    const reason = this.reason.value.trim();
    return {
      method: "POST",
      path: UNDO,
      query: { was: dry_run || undefined },
      body,
      type: "application/json",
      headers: reason && !dry_run ? { "Nola-Reason": encodeURIComponent(reason) } : {},
    };
  }

  async preview() {
    this.confirm.disabled = true;
    this.say("Looking at what this would change …");
    try {
      const { method, path, ...rest } = await this.request(true);
      const { text } = await call(method, path, rest);
      this.show(parse(text));
    } catch (error) {
      this.refused(error);
    }
  }

  show(answer) {
    const patches = patches_of(member(answer, "patches"));
    const others = said(member(answer, "changes")?.items ?? []);
    const nothing = !patches.length && !others.length;
    this.result.replaceChildren(...(patches.length ? [told(patches, { most: 50 })] : []), ...others);
    this.say(nothing ? this.idle : "");
    this.confirm.disabled = nothing;
    if (!this.prefer && !nothing) this.confirm.focus();
  }

  get idle() {
    if (this.prefer === "theirs") return "With the newer ones kept, nothing is left to take back.";
    return "Nothing is left to take back: all of it is as it was before.";
  }

  refused(error) {
    this.result.replaceChildren();
    const met = error instanceof Problem ? error.conflicts : [];
    this.say(met.length ? "" : reason_of(error), true);
    if (!met.length) return;
    this.clash?.remove();
    this.clash = conflicts(met, (prefer) => {
      this.prefer = prefer;
      this.preview();
    });
    this.body.prepend(this.clash);
    this.clash.querySelector("input").focus();
  }

  async commit(event) {
    event.preventDefault();
    if (this.confirm.disabled) return;
    this.confirm.disabled = true;
    this.say("Taking it back …");
    try {
      const { text } = await send(await this.request(false), (error) =>
        this.say(`Waiting: ${reason_of(error)} Trying again …`),
      );
      const answer = parse(text);
      const touched = ["changed", "conversations"].some((name) => member(answer, name)?.items.length);
      this.close(touched ? plain(member(answer, "revision")) : undefined);
    } catch (error) {
      this.refused(error);
    }
  }
}

function reason_of(error) {
  if (!(error instanceof Problem)) return "The server does not answer.";
  return `${sentence(error.message)}.`;
}
