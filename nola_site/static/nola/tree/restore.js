// Putting back what was: a former value in the place of its node, and what was deleted. What would change is shown
// first, and shown anew when somebody changes the same meanwhile.

import { patches_of, told } from "../changes/changes.js";
import { Problem, because, call } from "./api.js";
import { concerns } from "./conflicts.js";
import { announce, h, icon, person, sentence } from "./dom.js";
import { member, parse, pointerOf } from "./json.js";
import { Gone } from "./memory.js";
import * as writes from "./writes.js";

/** Put the value that a node had after a change in its place. Returns the revision made, if any. */
export async function putBack(panel, node, { revision, at, pointer }) {
  const { memory } = panel.app;
  const was = { pointer: pointerOf([node.tokens[0]]) + pointer, at: revision };
  let [text, place] = [];
  return propose(panel, node, {
    title: `Put “${node.label}” back as it was`,
    about: `As it was on ${new Date(at).toLocaleString()}, after change ${revision}.`,
    action: "Put it back",
    done: `return of ${node.label}`,
    said: `Put “${node.label}” back`,
    look: async () => {
      text ??= (await call("GET", "/api/state", { query: was })).text;
      if (!node.isAttached) throw new Gone("it is not there any more");
      place = { tokens: node.tokens, revision: memory.revision };
      return rehearsed(`{"op":"put","pointer":${JSON.stringify(pointerOf(place.tokens))},"value":${text}}`);
    },
    act: () => memory.replace(place, text, because(`put back as it was after change ${revision}`)),
  });
}

/** Bring back what is gone from a container, or a key. Returns the revision made, if any. */
export async function bringBack(panel, container, { pointer, was, position }) {
  const { memory, actions } = panel.app;
  const label = pointer.at(-1);
  let text;
  const made = await propose(panel, container, {
    title: `Bring “${label}” back`,
    about: "This is added, and nothing else is changed.",
    action: "Bring it back",
    done: `return of ${label}`,
    said: `Brought “${label}” back`,
    look: async () => {
      text ??= (await call("GET", "/api/state", { query: was })).text;
      if (!container.isRoot && !container.isAttached) throw new Gone("what it was in is not there any more");
      const tokens = [...container.tokens, label];
      if (container.type === "object" && (await memory.has(tokens)))
        throw new Gone(`there is “${label}” already; rename or remove that one first`);
      return [[tokens[0], [{ op: "add", path: pointerOf(tokens.slice(1)), value: parse(text) }]]];
    },
    act: () => writes.bring_back(memory, container, label, text, position),
  });
  if (made) await actions.reveal([...container.tokens, label]);
  return made;
}

/** What an operation of a transaction would change: [[key, patch], …]. */
async function rehearsed(operation) {
  const { text } = await call("POST", "/api/transactions", {
    query: { was: true },
    body: `{"operations":[${operation}],"dry_run":true}`,
    type: "application/json",
  });
  return patches_of(member(parse(text), "patches"));
}

/** Ask in a dialog: `look()` says what would change, `act()` does it. Somebody who changes `node` meanwhile makes it look
 *  again. Returns the revision that came of it, undefined if none. */
function propose(panel, node, { title, about, action, done, said, look, act }) {
  const shown = h("div.tp-shown", { "aria-busy": "true" });
  const notice = h("p.tp-notice", { role: "alert", hidden: true });
  const yes = h("button.tree-button.tree-primary", { type: "button", disabled: true }, action);
  const no = h("button.tree-button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = h(
    "dialog.tree-sheet.tp-dialog",
    { "aria-label": title },
    h("h2", {}, title),
    h("p.tp-note", {}, about),
    notice,
    shown,
    h("div.tp-choice", {}, no, yes),
  );
  const reveal = (tokens) => {
    dialog.close();
    panel.app.actions.reveal(tokens);
  };
  const say = (text) => {
    notice.hidden = !text;
    notice.replaceChildren(...(text ? [icon("call_split"), h("span", {}, text)] : []));
  };
  const failed = (error) => {
    shown.replaceChildren(h("p.tp-problem", {}, icon("error"), sentence(panel.app.reason(error))));
    yes.disabled = true;
  };
  const again = async () => {
    yes.disabled = true;
    shown.setAttribute("aria-busy", "true");
    try {
      const patches = await look();
      const isSame = !patches.length;
      shown.replaceChildren(
        isSame ? h("p.tp-note", {}, "It is the same now; nothing would change.") : told(patches, { reveal }),
      );
      yes.disabled = isSame;
    } catch (error) {
      failed(error);
    } finally {
      shown.removeAttribute("aria-busy");
    }
  };
  const meet = (name) => {
    say(`${sentence(name)} changed the same meanwhile. What would change now is shown below.`);
    yes.textContent = `${action} all the same`;
    return again();
  };
  return new Promise((resolve) => {
    let [revision, acting] = [undefined, false];
    panel.asking = (event) => !acting && concerns(event, node) && meet(person(event.actor, panel.app.memory.me).name);
    yes.onclick = async () => {
      yes.disabled = acting = true;
      try {
        revision = await act();
        dialog.close();
      } catch (error) {
        acting = false;
        if (!(error instanceof Problem) || !error.conflicts.length) return failed(error);
        await panel.app.memory.reach(error.conflicts[0].by ?? 0);
        await meet(panel.app.activity.who(error.conflicts[0].by));
      }
      return undefined;
    };
    dialog.onclose = () => {
      panel.asking = null;
      dialog.remove();
      if (revision) {
        panel.app.mine.did(revision, done);
        panel.app.mine.offer(said);
      }
      resolve(revision);
    };
    document.body.append(dialog);
    dialog.showModal();
    announce(title);
    again().then(() => yes.disabled || yes.focus());
  });
}
