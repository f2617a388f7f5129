// What happens to conversations and their messages, in words: the history keeps ids of messages, never their text.

import { count, h, icon } from "../../nola/lib/dom.js";
import { member, plain } from "../../nola/lib/json.js";
import { nameChat } from "./chats.js";

const CHAT = "/admin/conversations/conversation/of/";
const FIELDS = { current_leaf: "branch in use", client_id: "sender's id", stimuli_type: "kind of stimulus" };

/** A link to the chat of a session id, called by its name, with words after it. */
export function chat(session, words = "") {
  const address = `${CHAT}?${new URLSearchParams({ session })}`;
  return h("span", {}, nameChat(h("a.chg-place", { href: address }), session), words && ` · ${words}`);
}

/** Elements that say what happened, one for each conversation, from exact changes {kind, key, patch}. */
export function said(changes) {
  const found = new Map();
  for (const change of changes) {
    const [kind, key] = ["kind", "key"].map((name) => plain(member(change, name)));
    if (kind === "state" || kind === "redaction") continue;
    found.set(key, [...(found.get(key) ?? []), ...words(kind, member(change, "patch"))]);
  }
  return [...found].map(([session, some]) => sentence(session, some));
}

export function sentence(session, some) {
  return h("p.chg-talk", {}, icon("forum"), chat(session, some.join(", ") || "changed"));
}

/** What a change to a conversation or its messages does: ["12 messages added", …]. */
export function words(kind, patch) {
  if (!patch) return [kind === "message" ? "messages changed" : "changed"];
  return kind === "message" ? of_messages(patch) : of_conversation(patch);
}

function of_messages(patch) {
  const size = (name) => member(patch, name)?.items?.length ?? member(patch, name)?.members?.length ?? 0;
  const did = { add: "added", remove: "deleted", set: "changed" };
  return Object.entries(did)
    .filter(([name]) => size(name))
    .map(([name, word]) => `${count(size(name), "message", "messages")} ${word}`);
}

function of_conversation(patch) {
  if (member(patch, "purge")) return ["erased for good"];
  if (member(patch, "remove")) return ["conversation deleted"];
  const fields = member(patch, "set")?.members ?? [];
  const set = fields.map(([name, value]) => field(name, value));
  return member(patch, "add") ? ["conversation added", ...set] : set;
}

function field(name, value) {
  if (name === "archived") return value.boolean ? "archived" : "taken out of the archive";
  if (name === "title") return `title “${value.text}”`;
  return `${FIELDS[name] ?? name.replaceAll("_", " ")} changed`;
}
