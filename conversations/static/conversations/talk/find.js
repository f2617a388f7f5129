// Finding within the conversation: hits come from the search of the server, newest first, and are jumped to one by one.

import { call } from "./api.js";

const MOST = 100;

export class Find {
  /** `jump(id)` shows a message and gives its node; `say(text)` tells what went wrong. */
  constructor(root, session, jump, say) {
    Object.assign(this, { root, session, jump, say, hits: [], at: -1, asked: "" });
    this.field = root.querySelector(".nola-talk-find input");
    let typing = 0;
    this.field.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.find(this.field.value), 200);
    });
    this.field.addEventListener("keydown", (event) => this.pressed(event));
    root.querySelector(".nola-talk-find").addEventListener("submit", (event) => event.preventDefault());
    root.querySelector(".nola-hit-older").onclick = () => this.step(1);
    root.querySelector(".nola-hit-newer").onclick = () => this.step(-1);
  }

  pressed(event) {
    if (event.key === "Escape") {
      this.field.value = "";
      this.find("");
      this.root.querySelector(".nola-talk-scroll").focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.field.value !== this.asked) this.find(this.field.value);
      else this.step(event.shiftKey ? -1 : 1);
    }
  }

  /** Looks for a question, and goes to its first hit, or to that of the message `first`. */
  async find(question, first = 0) {
    this.field.value = question;
    this.asked = question;
    this.hits = [];
    this.at = -1;
    globalThis.CSS.highlights?.clear();
    if (question.trim()) await this.ask(question);
    if (this.asked !== question) return;
    if (first) this.at = this.hits.findIndex((one) => one.id === first) - 1;
    this.count();
    if (this.hits.length) await this.step(1);
  }

  async ask(question) {
    const q = /["*]\s*$/.test(question) ? question : `${question.trimEnd()}*`; // the last word may go on
    try {
      const query = { q, in: "messages", order: "newest", limit: MOST, session: this.session };
      const { found } = await call("GET", `/api/search?${new URLSearchParams(query)}`);
      if (this.asked === question) this.hits = found.messages;
    } catch (error) {
      if (error.status !== 422) this.say(error.message); // no word is in it yet
    }
  }

  count() {
    const count = this.hits.length === MOST ? `${MOST} or more` : this.hits.length;
    const text = this.hits.length ? `${this.at + 1} of ${count}` : "not found";
    this.root.querySelector(".nola-talk-count").textContent = this.asked.trim() ? text : "";
    for (const button of this.root.querySelectorAll(".nola-hit-older, .nola-hit-newer")) button.hidden = this.hits.length < 2;
  }

  async step(by) {
    if (!this.hits.length) return;
    this.at = (this.at + by + this.hits.length) % this.hits.length;
    this.count();
    const hit = this.hits[this.at];
    const node = await this.jump(hit.id);
    if (node) highlight(node, words(hit));
  }
}

/** The words that match, as they are spelt in the text. */
function words(hit) {
  const characters = Array.from(hit.snippet); // offsets count characters, not UTF-16
  return [...new Set(hit.matches.map(([from, to]) => characters.slice(from, to).join("")))];
}

/** Marks the words; where the text does not have them, what is folded is opened, for they are in there. */
function highlight(node, found) {
  const body = node.querySelector(".nola-body");
  const text = body.querySelector(":scope > .nola-text")?.textContent ?? "";
  if (!found.every((word) => text.includes(word))) {
    for (const box of body.querySelectorAll(".nola-fold")) box.unfold();
  }
  if (!globalThis.Highlight) return;
  const ranges = [];
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text && ranges.length < 500; text = walker.nextNode()) {
    for (const word of found) {
      for (let at = text.data.indexOf(word); at >= 0 && word; at = text.data.indexOf(word, at + word.length)) {
        const range = new Range();
        range.setStart(text, at);
        range.setEnd(text, at + word.length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights.set("nola-hit", new Highlight(...ranges));
}
