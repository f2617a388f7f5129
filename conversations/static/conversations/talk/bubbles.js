// The messages on the page, in the order in which pages have them, drawn as bubbles with day separators.
// They lie in lists of at most CHUNK, so that the browser lays out only those lists that can be seen.

import { clock, day, exactTime } from "../../nola/lib/dates.js";
import { h } from "../../nola/lib/dom.js";
import { markdown } from "./markdown.js";
import { listParts } from "./parts.js";

const CHUNK = 50;
const LONG = 20000; // characters shown of a message at first
const SOON = 5 * 60 * 1000; // within so many ms the same speaker is not named again

export class Bubbles {
  constructor(list, onVersion) {
    this.list = list;
    this.onVersion = onVersion;
    this.rows = []; // { message, node }, in order
    this.known = new Map();
  }

  clear() {
    this.rows = [];
    this.known.clear();
    this.list.replaceChildren();
  }

  /** Adds those of a page, oldest first, that are not there yet, and says how many they were. If none of the page is
      there, they come before the row with the id `next`, or at the end. */
  add(messages, next) {
    let at = this.place(messages.find((one) => this.known.has(one.id))?.id ?? next);
    const from = at;
    let count = 0;
    for (const message of messages) {
      if (this.known.has(message.id)) {
        if (this.rows[at]?.message.id !== message.id) at = this.place(message.id);
      } else {
        const row = { message, node: this.draw(message) };
        this.put(row.node, this.rows[at - 1]?.node, this.rows[at]?.node);
        this.rows.splice(at, 0, row);
        this.known.set(message.id, row);
        count += 1;
      }
      at += 1;
    }
    if (count) this.join(from - 1, at + 1);
    return count;
  }

  /** Puts a row between two others, into the list of the one before if there is room. */
  put(node, last, next) {
    const isWithin = last && next && last.parentNode === next.parentNode;
    if (last && (isWithin || last.parentNode.childElementCount < CHUNK)) return last.after(node);
    const chunk = h("ol.nola-chunk");
    chunk.append(node);
    if (last) last.parentNode.after(chunk);
    else this.list.prepend(chunk);
  }

  /** Where the row of a message is; the end if it is not there. */
  place(id) {
    const row = this.known.get(id);
    return row ? this.rows.indexOf(row) : this.rows.length;
  }

  remove(ids) {
    for (const id of ids) {
      const row = this.known.get(id);
      if (!row) continue;
      const at = this.rows.indexOf(row);
      this.rows.splice(at, 1);
      this.known.delete(id);
      const chunk = row.node.parentNode;
      row.node.remove();
      if (!chunk.childElementCount) chunk.remove();
      this.join(at - 1, at + 1);
    }
  }

  replace(message) {
    const row = this.known.get(message.id);
    if (!row) return;
    const node = this.draw({ ...message, versions: row.message.versions });
    row.node.replaceWith(node);
    Object.assign(row, { message: { ...message, versions: row.message.versions }, node });
    const at = this.rows.indexOf(row);
    this.join(at, at + 1);
  }

  /** Sets which rows begin a day or go on with the same speaker. */
  join(from, to) {
    for (let at = Math.max(0, from); at < Math.min(this.rows.length, to + 1); at++) {
      const { message, node } = this.rows[at];
      const last = this.rows[at - 1]?.message;
      const heading = day(message.timestamp);
      const isNewDay = !last || day(last.timestamp) !== heading;
      node.firstChild.hidden = !isNewDay;
      node.firstChild.textContent = isNewDay ? heading : "";
      const isSame = !isNewDay && last.speaker === message.speaker && last.user_id === message.user_id;
      node.classList.toggle("is-same", isSame && new Date(message.timestamp) - new Date(last.timestamp) < SOON);
    }
  }

  draw(message) {
    const node = h(`li.nola-row.nola-by-${message.speaker}`);
    node.dataset.id = message.id;
    node.append(h("p.nola-day"));
    const line = h("div.nola-line");
    const box = h("input.nola-check");
    box.type = "checkbox";
    box.setAttribute("aria-label", "Select this message");
    const bubble = h("article.nola-bubble");
    bubble.append(this.head(message), this.body(message));
    const foot = this.foot(message);
    if (foot) bubble.append(foot);
    line.append(box, bubble);
    node.append(line);
    return node;
  }

  head(message) {
    const head = h("p.nola-meta");
    const isNamed = message.user_id && message.user_id !== "user" && message.speaker === "user";
    const speaker = isNamed ? message.user_id : message.metadata?.role ?? message.speaker;
    const name = message.metadata?.name; // of a tool, or of a character
    head.append(h("span.nola-speaker", {}, typeof name === "string" && name ? `${speaker} (${name})` : speaker));
    const title = exactTime(message.timestamp) + (message.timestamp_text ? `\n${message.timestamp_text}` : "");
    const time = h("time.ui-when", { dateTime: message.timestamp, title }, clock(message.timestamp));
    head.append(time);
    if (message.status !== "ok") head.append(h(`span.nola-status.nola-${message.status}`, {}, message.status === "pending" ? "waiting for an answer" : "failed"));
    return head;
  }

  /** The text, folded if the message is hidden, and below it what else the message holds, folded. */
  body(message) {
    const body = h("div.nola-body");
    const hidden = message.metadata?.hidden;
    if (hidden) body.append(fold(typeof hidden === "string" ? `Hidden: ${hidden}` : "Hidden", () => this.text(message.message)));
    else if (message.message || !message.metadata) body.append(this.text(message.message));
    for (const part of listParts(message.metadata)) body.append(fold(part.title, () => h("pre.nola-part", {}, part.text)));
    return body;
  }

  text(whole) {
    const text = h("div.nola-text");
    text.append(markdown(whole.length > LONG ? whole.slice(0, LONG) : whole));
    if (whole.length > LONG) {
      const more = h("button.ui-button.ui-small", {}, `Show all ${whole.length.toLocaleString()} characters`);
      more.type = "button";
      more.onclick = () => more.replaceWith(h("pre.nola-rest", {}, whole.slice(LONG)));
      text.append(more);
    }
    return text;
  }

  foot(message) {
    const files = message.metadata?.attachments;
    const versions = message.versions;
    if (!Array.isArray(files) && !versions) return null;
    const foot = h("p.nola-foot");
    for (const name of Array.isArray(files) ? files : []) foot.append(h("span.nola-file", {}, String(name)));
    if (versions) {
      const at = versions.indexOf(message.id);
      const step = (by, label, name) => {
        const button = h("button.nola-step.ui-icon", {}, label);
        button.type = "button";
        button.setAttribute("aria-label", name);
        button.disabled = !versions[at + by];
        button.onclick = () => this.onVersion(versions[at + by]);
        return button;
      };
      foot.append(step(-1, "‹", "Earlier version"), h("span", {}, `${at + 1} of ${versions.length}`), step(1, "›", "Later version"));
    }
    return foot;
  }
}

/** A part that is drawn when it is opened. */
function fold(title, draw) {
  const box = h("details.nola-fold", {}, h("summary", {}, title));
  box.unfold = () => {
    box.open = true;
    if (box.childElementCount === 1) box.append(draw());
  };
  box.addEventListener("toggle", () => box.open && box.unfold());
  return box;
}
