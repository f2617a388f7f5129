// Values as one reads them in a change: short ones in the line, long ones folded.

import { count, h } from "../../nola/lib/dom.js";
import { guess, write } from "../../nola/lib/json.js";

const SHORT = 96; // characters that stand in a line
const LONG = 8000; // characters of a folded value that are shown
const AROUND = 24; // characters shown before and after what changed in a text
const OPEN = 480; // characters of a text in which the changed part is shown in the line

/** A value as an element of tag `ins` or `del`; a long one is folded and opens. */
export function worth(value, tag) {
  const text = spelt(value);
  if (text.length <= SHORT && !text.includes("\n")) return whole(value, text, tag);
  const folded = h("details.chg-fold", {}, h("summary", {}, h(`${tag}.chg-${value.type}`, {}, brief(value, text))));
  folded.ontoggle = () => {
    if (folded.open && folded.childElementCount === 1) folded.append(opened(value, tag));
  };
  return folded;
}

function whole(value, text, tag) {
  return h(`${tag}.chg-${value.type}`, {}, text || "(empty text)");
}

/** What changed from one value to another: only the changed part of a text is marked. */
export function between(was, now) {
  const arrow = h("span.chg-arrow", {}, h("span.ui-unseen", {}, "became"), " ", h("span", { "aria-hidden": "true" }, "→"));
  if (was.type !== "text" || now.type !== "text") return [worth(was, "del"), " ", arrow, " ", worth(now, "ins")];
  const [head, tail] = common(was.text, now.text);
  const [gone, came] = [was.text, now.text].map((text) => text.slice(head, text.length - tail));
  const is_short = was.text.length <= SHORT && now.text.length <= SHORT;
  const is_kin = head + tail > Math.max(gone.length, came.length) && gone.length + came.length <= OPEN;
  if (!is_kin || (is_short && head + tail < 12)) return [worth(was, "del"), " ", arrow, " ", worth(now, "ins")];
  const before = now.text.slice(0, head);
  const after = now.text.slice(now.text.length - tail);
  return [
    h(
      "span.chg-text.chg-within",
      {},
      before.length > AROUND && !is_short ? `…${cut_left(before)}` : before,
      gone && h("del", {}, gone),
      came && h("ins", {}, came),
      after.length > AROUND && !is_short ? `${cut_right(after)}…` : after,
    ),
  ];
}

/** How many characters two texts have in common at the start and at the end: whole words, where there are words, and no
 *  halves of a character. */
function common(one, other) {
  const most = Math.min(one.length, other.length);
  let head = 0;
  while (head < most && one[head] === other[head]) head += 1;
  const word = /[^\s]*$/.exec(one.slice(0, head))[0].length;
  if (word < AROUND) head -= word;
  if (is_low(one, head) || is_low(other, head)) head -= 1;
  let tail = 0;
  while (tail < most - head && one[one.length - 1 - tail] === other[other.length - 1 - tail]) tail += 1;
  const rest = tail ? /^[^\s]*/.exec(one.slice(-tail))[0].length : 0;
  if (rest < AROUND) tail -= rest;
  if (tail && is_low(one, one.length - tail)) tail -= 1;
  return [head, tail];
}

function is_low(text, at) {
  return at > 0 && /[\udc00-\udfff]/.test(text[at] ?? "");
}

function cut_left(text) {
  return text.slice(is_low(text, text.length - AROUND) ? 1 - AROUND : -AROUND);
}

function cut_right(text) {
  return text.slice(0, is_low(text, AROUND) ? AROUND - 1 : AROUND);
}

/** A value in a line: a text stands without quotes, unless it would be taken for something else. */
function spelt(value) {
  if (value.type !== "text") return write(value);
  return guess(value.text).type === "text" && value.text.trim() === value.text ? value.text : JSON.stringify(value.text);
}

function brief(value, text) {
  if (value.type === "object") return `{ ${list(value.members.map(([name]) => name))} }`;
  if (value.type === "array") return `[ ${count(value.items.length, "item", "items")} ]`;
  return `${text.slice(0, SHORT)}…`;
}

function list(names) {
  const some = names.slice(0, 4).map((name) => (name.length > 24 ? `${name.slice(0, 24)}…` : name));
  return names.length > 4 ? `${some.join(", ")} and ${names.length - 4} more` : some.join(", ");
}

function opened(value, tag) {
  const text = value.type === "text" ? value.text : write(value, "  ");
  const rest = text.length > LONG ? `\n… ${(text.length - LONG).toLocaleString("en")} more characters` : "";
  return h(`pre.chg-whole.chg-${tag}`, { tabIndex: 0 }, text.slice(0, LONG) + rest);
}
