// JSON read and written exactly. A browser's own parser rounds integers over 2^53 and reorders names like "10", so
// numbers stay text here and members stay a list:
//   {type: "object", members: [[name, value], …]} · {type: "array", items: [value, …]} · {type: "text", text}
//   {type: "number", number: "1e-7"} · {type: "boolean", boolean} · {type: "null"}
// It is the form in which the server's tree view tells values, so one reader builds nodes from both.

const MAX_DEPTH = 100;
const SPACE = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = {
  true: { type: "boolean", boolean: true },
  false: { type: "boolean", boolean: false },
  null: { type: "null" },
};

/** A text that is not JSON (RFC 8259); `index` is where, `line` and `column` count from 1. */
export class BadJSON extends Error {
  constructor(message, text, index) {
    super(message);
    const before = text.slice(0, index).split("\n");
    this.index = index;
    this.line = before.length;
    this.column = before.at(-1).length + 1;
  }
}

/** The value that a JSON text says. Throws BadJSON, also where one name stands twice in an object. */
export function parse(text) {
  const reader = new Reader(text);
  const value = reader.value(1);
  reader.space();
  if (reader.at < text.length) reader.fail("there is more text after the value");
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(message, at = this.at) {
    throw new BadJSON(message, this.text, at);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }

  space() {
    this.match(SPACE);
  }

  /** Take one character, if it is the next. */
  take(character) {
    this.space();
    const is = this.text[this.at] === character;
    if (is) this.at += 1;
    return is;
  }

  value(depth) {
    this.space();
    const first = this.text[this.at];
    if (first === undefined) this.fail("a value is missing here");
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array(depth);
    if (first === '"') return { type: "text", text: this.string() };
    return this.word() ?? this.number();
  }

  word() {
    const word = Object.keys(WORDS).find((one) => this.text.startsWith(one, this.at));
    if (!word) return undefined;
    this.at += word.length;
    return { ...WORDS[word] };
  }

  number() {
    const start = this.at;
    const number = this.match(NUMBER);
    if (!number || /[\w.+-]/.test(this.text[this.at] ?? ""))
      this.fail("this is not a value; a text stands in quotes", start);
    return { type: "number", number };
  }

  string() {
    const start = this.at;
    this.at += 1;
    for (;;) {
      this.match(PLAIN);
      const next = this.text[this.at];
      if (next === '"') break;
      if (next === undefined) this.fail("the closing quote of this text is missing", start);
      if (next !== "\\") this.fail("a line break or tab inside a text is written \\n or \\t");
      this.escape();
    }
    this.at += 1;
    return JSON.parse(this.text.slice(start, this.at));
  }

  escape() {
    if (!/^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.test(this.text.slice(this.at, this.at + 6)))
      this.fail("after \\ this cannot stand");
    this.at += 2;
  }

  object(depth) {
    this.enter(depth);
    const members = [];
    const names = new Set();
    while (!this.take("}")) {
      if (members.length && !this.take(",")) this.fail("a comma or } is missing here");
      this.space();
      const start = this.at;
      if (this.text[start] !== '"')
        this.fail(
          this.text[start] === "}" ? "there is a comma too many before this" : "a name in quotes is missing here",
        );
      const name = this.string();
      if (names.has(name)) this.fail(`the name ${JSON.stringify(name)} stands twice in one object`, start);
      names.add(name);
      if (!this.take(":")) this.fail("a colon is missing here");
      members.push([name, this.value(depth + 1)]);
    }
    return { type: "object", members };
  }

  array(depth) {
    this.enter(depth);
    const items = [];
    while (!this.take("]")) {
      if (items.length && !this.take(",")) this.fail("a comma or ] is missing here");
      if (items.length && this.take("]")) this.fail("there is a comma too many before this", this.at - 1);
      items.push(this.value(depth + 1));
    }
    return { type: "array", items };
  }

  enter(depth) {
    if (depth > MAX_DEPTH) this.fail(`this nests deeper than ${MAX_DEPTH} levels`);
    this.at += 1;
  }
}

/** The JSON text of a value; with `indent` ("  ") one member a line. */
export function write(value, indent = "", margin = "") {
  switch (value.type) {
    case "object":
      return list(
        "{",
        "}",
        value.members,
        indent,
        margin,
        ([name, one], inner) => `${JSON.stringify(name)}:${indent && " "}${write(one, indent, inner)}`,
      );
    case "array":
      return list("[", "]", value.items, indent, margin, (one, inner) => write(one, indent, inner));
    case "text":
      return JSON.stringify(value.text);
    case "number":
      return value.number;
    default:
      return value.type === "null" ? "null" : String(value.boolean);
  }
}

function list(open, close, parts, indent, margin, each) {
  if (!parts.length) return open + close;
  const inner = margin + indent;
  const line = indent && `\n${inner}`;
  return open + line + parts.map((part) => each(part, inner)).join(`,${line}`) + (indent && `\n${margin}`) + close;
}

/** An exact value as an ordinary one, for parts that hold no numbers of the owner's, such as who and when. */
export function plain(value) {
  switch (value.type) {
    case "object":
      return Object.fromEntries(value.members.map(([name, one]) => [name, plain(one)]));
    case "array":
      return value.items.map(plain);
    case "number":
      return Number(value.number);
    default:
      return value.text ?? value.boolean ?? null;
  }
}

/** A member of an exact object. */
export function member(value, name) {
  return value.members?.find(([one]) => one === name)?.[1];
}

/** What a person means who types a value: JSON where it is JSON, otherwise the text as it stands. */
export function guess(text) {
  const trimmed = text.trim();
  try {
    return parse(trimmed);
  } catch {
    return { type: "text", text: trimmed };
  }
}

/** The tokens of an RFC 6901 pointer. */
export function tokensOf(pointer) {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The RFC 6901 pointer of tokens. */
export function pointerOf(tokens) {
  return tokens.map((token) => `/${String(token).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
