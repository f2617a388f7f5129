// A dialog that shows what would change before it is done, and shows it anew when somebody changes the same meanwhile.

import { told } from "../changes/changes.js";
import { Problem } from "../../nola/lib/api.js";
import { concerns } from "./conflicts.js";
import { nameActor } from "../../nola/lib/authors.js";
import { announce, h, icon, sentence } from "../../nola/lib/dom.js";

/** Ask: `look()` says what would change ([[key, ops], …]), `act()` does it and returns the revision, which becomes an edit
 *  of mine (`done`) and is `said`. Changes of `node` by others are met. Returns the revision, undefined if none. */
export function propose(panel, node, what) {
  return new Proposal(panel, node, what).answered;
}

class Proposal {
  constructor(panel, node, what) {
    Object.assign(this, { panel, app: panel.app, node, what, acting: false, revision: undefined });
    this.answered = new Promise((resolve) => (this.resolve = resolve));
    this.build();
    panel.asking = (event) => this.heard(event);
    document.body.append(this.dialog);
    this.dialog.showModal();
    announce(what.title);
    this.look().then(() => this.yes.disabled || this.yes.focus());
  }

  build() {
    const { title, about, action } = this.what;
    this.notice = h("p.ui-note", { role: "alert", hidden: true });
    this.shown = h("div.tp-shown.ui-dialog-body", { tabIndex: 0, role: "region", "aria-label": "What changes" });
    this.yes = h(
      "button.ui-button.ui-primary",
      { type: "button", disabled: true, onclick: () => this.act() },
      action,
    );
    const no = h("button.ui-button", { type: "button", onclick: () => this.dialog.close() }, "Cancel");
    this.dialog = h(
      "dialog.ui-dialog.tp-dialog",
      { "aria-label": title, onclose: () => this.end() },
      h("h2.ui-dialog-head", {}, title),
      h("p.tp-note", {}, about),
      this.notice,
      this.shown,
      h("div.ui-dialog-foot", {}, no, this.yes),
    );
  }

  /** Show what would change now. */
  async look() {
    const turn = (this.turn = {});
    this.yes.disabled = true;
    this.shown.setAttribute("aria-busy", "true");
    try {
      const patches = await this.what.look();
      if (turn !== this.turn) return; // somebody has changed it once more
      const isSame = !patches.length;
      const nothing = () => h("p.tp-note", {}, "It is the same now; nothing would change.");
      this.shown.replaceChildren(isSame ? nothing() : told(patches, { reveal: (tokens) => this.lead(tokens) }));
      this.yes.disabled = isSame;
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    } finally {
      if (turn === this.turn) this.shown.removeAttribute("aria-busy");
    }
  }

  lead(tokens) {
    this.dialog.close();
    this.app.actions.reveal(tokens);
  }

  fail(error) {
    this.shown.replaceChildren(h("p.tp-problem", {}, icon("error"), sentence(this.app.reason(error))));
    this.yes.disabled = true;
  }

  async act() {
    this.yes.disabled = this.acting = true;
    try {
      this.revision = await this.what.act();
      this.dialog.close();
    } catch (error) {
      this.acting = false;
      if (!(error instanceof Problem) || !error.conflicts.length) this.fail(error);
      else await this.clash(error.conflicts[0]);
    }
  }

  /** A revision was applied while this is open. */
  heard(event) {
    if (!this.acting && concerns(event, this.node)) this.meet(nameActor(event.actor, this.app.memory.me).name);
  }

  async clash({ by }) {
    await this.app.memory.reach(by ?? 0);
    await this.meet(this.app.activity.who(by));
  }

  meet(name) {
    const said = `${name} changed the same meanwhile. What would change now is shown below.`;
    this.notice.replaceChildren(icon("call_split"), h("span", {}, said));
    this.notice.hidden = false;
    this.yes.textContent = `${this.what.action} all the same`;
    return this.look();
  }

  end() {
    this.panel.asking = null;
    this.dialog.remove();
    if (this.revision) {
      this.app.mine.did(this.revision, this.what.done);
      this.app.mine.offer(this.what.said);
    }
    this.resolve(this.revision);
  }
}
