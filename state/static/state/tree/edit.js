// Editing in place. One editor is open at a time; what is typed in it stays until its owner saves it or lets it go,
// whatever happens around it.

import { h, icon, moving } from "../../nola/lib/dom.js";
import { guess, parse } from "../../nola/lib/json.js";

export const TYPES = [
  ["text", "Text"],
  ["number", "Number"],
  ["boolean", "Yes or no"],
  ["null", "Nothing"],
  ["object", "Object"],
  ["array", "List"],
];
const EMPTY = { text: "", number: "0", boolean: "true", null: "null", object: "{}", array: "[]" };
const MANY = 90; // characters from where a text is edited in a block of its own

/** What is typed cannot be saved; `index` is where, if it is one place. */
export class Unfit extends Error {
  constructor(message, index = undefined) {
    super(message);
    this.index = index;
  }
}

export class Editor {
  /** @param options
   *   node: what is edited; host: the element it is put in · text: what to begin with · label: for those who listen
   *   read(text, type): what it means; throws Unfit · save(meaning) · closed(refocus)
   *   type: shows the choice of types · block: below the row, where Enter makes a new line · preview(meaning): a hint
   *   always: save it also if nothing was changed · keeps: stay open when it is left · cancelled() */
  constructor(options) {
    Object.assign(this, options);
    this.initial = { text: this.text, type: this.type };
    this.input = h("textarea.tree-input.ui-input", {
      value: this.text,
      rows: 1,
      spellcheck: false,
      "aria-label": this.label,
      autocapitalize: "off",
      autocomplete: "off",
      placeholder: this.placeholder ?? "",
      oninput: () => this.typed(),
    });
    this.picker =
      this.type &&
      h(
        "select.tree-type.ui-input",
        { "aria-label": "Type", onchange: () => this.retype() },
        ...TYPES.map(([value, name]) => h("option", { value }, name)),
      );
    if (this.picker) this.picker.value = this.type;
    this.hint = h("span.tree-hint");
    this.problem = h("div.tree-problem", { role: "alert", id: "tree-problem" });
    this.buttons = h(
      "span.tree-edit-buttons",
      {},
      this.button("Save", "check", () => this.submit()),
      this.button("Cancel", "close", () => this.close()),
    );
    this.element = h(
      "div.tree-edit",
      { onkeydown: (event) => this.key(event), onfocusout: (event) => this.left(event) },
      h("div.tree-edit-line", {}, this.input, ...(this.picker ? [this.picker] : []), this.buttons),
      this.problem,
      this.hint,
    );
    this.element.addEventListener("click", (event) => event.stopPropagation());
    this.element.addEventListener("dblclick", (event) => event.stopPropagation());
  }

  button(label, symbol, act) {
    return h(
      "button.ui-icon",
      { type: "button", title: label, onclick: act },
      icon(symbol),
      h("span.tree-label.ui-unseen", {}, label),
    );
  }

  open(select = true) {
    this.host.append(this.element);
    this.block ||= this.text.includes("\n") || this.text.length > MANY;
    this.fit();
    this.input.focus({ preventScroll: true });
    if (select && !this.block) this.input.select();
    else this.input.setSelectionRange(0, 0);
    this.tell();
    this.element.scrollIntoView({ block: "nearest" });
    return this;
  }

  get isChanged() {
    return this.input.value !== this.initial.text || (this.picker && this.picker.value !== this.initial.type);
  }

  /** Grow with the text, and say how it is saved. */
  fit() {
    this.element.classList.toggle("tree-block", Boolean(this.block));
    this.input.style.width = this.block ? "" : `${Math.max(this.room ?? 10, this.input.value.length + 3)}ch`;
    this.input.style.height = "0";
    this.input.style.height = `${this.input.scrollHeight + 2}px`;
  }

  typed() {
    if (this.input.value.includes("\n")) this.block = true;
    if (this.picker && this.picker.value !== "text" && !this.chosen) this.picker.value = guess(this.input.value).type;
    this.problem.textContent = "";
    this.input.removeAttribute("aria-invalid");
    this.fit();
    this.tell();
  }

  /** Another type was chosen: begin with what can be kept of the text. */
  retype() {
    const type = this.picker.value;
    this.chosen = true;
    const kept = type === "text" || guess(this.input.value).type === type;
    if (!kept) this.input.value = EMPTY[type];
    this.problem.textContent = "";
    this.fit();
    this.tell();
    this.input.focus();
    this.input.select();
  }

  tell() {
    const how = this.block ? "Ctrl+Enter saves · Esc cancels" : "Enter saves · Esc cancels · Shift+Enter new line";
    const meaning = this.preview && this.attempt();
    this.hint.replaceChildren(
      ...(meaning ? [this.preview(meaning)] : []),
      h("span.tree-keys", {}, how),
      ...(this.said ? [this.said] : []),
    );
  }

  /** Keep an element in the hint. */
  say(element) {
    this.said = element;
    this.tell();
  }

  attempt() {
    try {
      return this.input.value.trim() ? this.read(this.input.value, this.picker?.value) : undefined;
    } catch {
      return undefined;
    }
  }

  key(event) {
    event.stopPropagation();
    if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    } else if (
      event.key === "Enter" &&
      event.target === this.input &&
      (event.ctrlKey || event.metaKey || (!this.block && !event.shiftKey)) &&
      !event.isComposing
    ) {
      event.preventDefault();
      this.submit();
    }
  }

  /** Leaving it for another part of the page saves it; leaving the page does not, nor what cannot be saved. */
  left({ relatedTarget }) {
    if (this.ended || moving.now || !document.hasFocus() || this.element.contains(relatedTarget)) return;
    if (!this.isChanged && !this.conflict) this.close(false);
    else if (!this.conflict && !this.keeps) this.submit(false);
  }

  submit(refocus = true) {
    if (this.conflict) return this.conflict.querySelector("button").focus();
    try {
      const meaning = this.read(this.input.value, this.picker?.value);
      if (!this.isChanged && !this.always) return this.close(refocus);
      this.end(refocus);
      this.save(meaning, this.input.value);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      this.fail(error.message, error.index);
    }
    return undefined;
  }

  /** Say what is wrong, with the caret there. */
  fail(message, index = undefined) {
    this.problem.textContent = message;
    this.input.setAttribute("aria-invalid", "true");
    this.input.setAttribute("aria-describedby", "tree-problem");
    this.problem.scrollIntoView({ block: "nearest" });
    if (index === undefined) return;
    this.input.focus();
    this.input.setSelectionRange(index, Math.min(index + 1, this.input.value.length));
    const line = this.input.value.slice(0, index).split("\n").length;
    this.input.scrollTop = (line - 4) * 20;
  }

  close(refocus = true) {
    if (this.ended) return;
    this.end(refocus);
    this.cancelled?.();
  }

  end(refocus) {
    this.ended = true;
    this.element.remove();
    this.closed(refocus);
  }
}

// What typed text means

/** A value of a type. Throws Unfit. */
export function typedValue(text, type) {
  if (type === "text") return { type, text };
  const value = parsed(text, type === "object" || type === "array" ? text : text.trim());
  if (value.type !== type) throw new Unfit(`This is not ${article(type)}. Choose another type, or change the text.`);
  return value;
}

function parsed(text, json) {
  try {
    return parse(json);
  } catch (error) {
    if (error.index === undefined) throw error;
    throw new Unfit(`Line ${error.line}, column ${error.column}: ${error.message}`, error.index);
  }
}

function article(type) {
  return {
    number: "a number",
    boolean: "true or false",
    null: "null",
    object: "an object, such as {}",
    array: "a list, such as []",
  }[type];
}

/** A whole value as JSON text. Throws Unfit with the place. */
export function jsonValue(text) {
  return parsed(text, text);
}

const NAME = /^\s*("(?:[^"\\]|\\.)*"|[^.:"]+?)\s*([.:])/;

/** `ui.theme.accent: violet` → {names: ["ui", "theme", "accent"], value}; a name with a dot or colon stands in quotes. */
export function entry(text) {
  const names = [];
  let rest = text;
  for (;;) {
    const found = NAME.exec(rest);
    if (!found) throw new Unfit("Write a name, a colon and a value, such as  color: blue");
    names.push(found[1].startsWith('"') ? unquoted(found[1]) : found[1].trim());
    rest = rest.slice(found[0].length);
    if (found[2] === ":") break;
  }
  const value = guess(rest);
  const looksLikeJSON = /^\s*[[{]/.test(rest) && value.type === "text";
  if (looksLikeJSON) parsed(text, rest);
  return { names, value };
}

function unquoted(quoted) {
  try {
    return JSON.parse(quoted);
  } catch {
    throw new Unfit("The name in quotes is not complete");
  }
}
