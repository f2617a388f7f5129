// Calls to the API with the admin's session. Bodies are text throughout: numbers are never ours to respell.

import { BadJSON, member, parse, plain, pointerOf } from "./json.js";

const STATE = "/api/state";
const PAUSES = [300, 700, 1500, 3000, 5000]; // milliseconds between attempts while the server does not answer

/** A refusal: a problem document (RFC 9457), with its `conflicts` told exactly. */
export class Problem extends Error {
  constructor(status, body) {
    super(
      status === 401
        ? "you are signed out; sign in again in another tab"
        : (text_of(body, "detail") ?? `the server answered with ${status}`),
    );
    this.status = status;
    this.line = body && plain(member(body, "line") ?? { type: "null" });
    this.column = body && plain(member(body, "column") ?? { type: "null" });
    this.cursor = text_of(body, "cursor");
    this.conflicts = (member(body ?? {}, "conflicts")?.items ?? []).map(conflict_of);
  }

  get isSignedOut() {
    return this.status === 401;
  }
}

function text_of(body, name) {
  return body && member(body, name)?.text;
}

function conflict_of(one) {
  const said = (name) => plain(member(one, name) ?? { type: "null" });
  return {
    kind: said("kind"),
    key: said("key"),
    pointer: said("pointer"),
    by: said("by"),
    undoing: said("undoing"),
    base: member(one, "base"),
    theirs: member(one, "theirs"),
    yours: member(one, "yours"),
  };
}

/** One call. Throws Problem, and TypeError where the server cannot be reached. */
export async function call(method, path, { query = {}, body, type, headers = {}, signal } = {}) {
  const parameters = new URLSearchParams(
    Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, one])).filter(([, one]) => one !== undefined),
  );
  const search = parameters.size ? `?${parameters}` : "";
  const sent = { Accept: "application/json", ...headers, ...(type && { "Content-Type": type }) };
  if (method !== "GET") sent["X-CSRFToken"] = cookie("nola_csrf");
  const response = await fetch(path + search, {
    method,
    body,
    headers: sent,
    signal,
    credentials: "same-origin",
    cache: "no-store",
  });
  const text = await response.text();
  if (!response.ok)
    throw Object.assign(new Problem(response.status, problem_of(text)), {
      retryAfter: Number(response.headers.get("Retry-After")),
    });
  return {
    text,
    revision: Number(response.headers.get("Nola-Revision")),
    place: response.headers.get("Content-Location"),
    etag: response.headers.get("ETag"),
    next: next_of(response.headers.get("Link")),
  };
}

/** The query of the next page, if there is one. */
function next_of(link) {
  return link ? Object.fromEntries(new URL(/<(.*)>/.exec(link)[1], location).searchParams) : undefined;
}

function problem_of(text) {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof BadJSON) return undefined; // a proxy's page, not ours
    throw error;
  }
}

function cookie(name) {
  return (
    document.cookie
      .split("; ")
      .find((one) => one.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? ""
  );
}

/** A page of the tree view of a node: {view, revision}. */
export async function tree_view(tokens, query, lens, signal) {
  const { text, revision } = await call("GET", STATE, {
    query: { ...place(tokens, lens), view: "tree", ...query },
    signal,
  });
  return { view: JSON.parse(text), revision }; // numbers are text in this view, and members a list
}

/** The stored text of a node, exactly: {text, revision, etag}. */
export function stored(tokens, lens) {
  return call("GET", STATE, { query: place(tokens, lens) });
}

/** What is read: a node as it is now, or of what is seen through a lens, {query: {at, level}}. */
function place(tokens, lens) {
  if (!lens) return at(tokens);
  return { ...lens.query, ...(tokens.length && { node: pointerOf(tokens) }) };
}

/** A call about a node that is not the state's own, such as /api/history: {path, query}. No name goes into the path,
 *  since browsers drop the segments . and .. there, however they are spelt. */
export function about(path, tokens, query = {}) {
  return { path, query: { pointer: pointerOf(tokens), ...query } };
}

function at(tokens) {
  return tokens.length ? { pointer: pointerOf(tokens) } : {};
}

export const put = (tokens, text, base) => ({
  method: "PUT",
  path: STATE,
  query: { ...at(tokens), base },
  body: text,
  type: "application/json",
});

export const remove = (tokens, base) => ({ method: "DELETE", path: STATE, query: { ...at(tokens), base } });

/** Operations on one key; each {op, path, …} with `value` as JSON text. */
export const patch = (key, ops, base) => ({
  method: "PATCH",
  path: STATE,
  query: { ...at([key]), base },
  body: ops_text(ops),
  type: "application/json-patch+json",
});

/** Several writes over several keys, all or nothing: operations as JSON texts, made for the revision `base`. */
export const transaction = (operations, base) => ({
  method: "POST",
  path: "/api/transactions",
  body: `{"operations":[${operations.join(",")}]${base === undefined ? "" : `,"base":${base}`}}`,
  type: "application/json",
});

export const undo = (revision, prefer) => ({
  method: "POST",
  path: "/api/undo",
  body: JSON.stringify({ revision, prefer }),
  type: "application/json",
});

/** The header that says why a write is made. */
export const because = (reason) => ({ "Nola-Reason": encodeURIComponent(reason) });

export function ops_text(ops) {
  return `[${ops.map(op_text).join(",")}]`;
}

function op_text({ value, ...op }) {
  const members = Object.entries(op)
    .filter(([, one]) => one !== undefined)
    .map(([name, one]) => `${JSON.stringify(name)}:${JSON.stringify(one)}`);
  return `{${members.join(",")}${value === undefined ? "" : `,"value":${value}`}}`;
}

/** Send a write until it is answered: once only, however often it has to be sent. `waiting` is told of every pause.
 *  Throws Problem. */
export async function send({ method, path, headers: own, ...rest }, waiting) {
  const headers = { "Idempotency-Key": random(), Prefer: "return=minimal", ...own };
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call(method, path, { ...rest, headers });
    } catch (error) {
      const isBusy = error instanceof Problem && [429, 502, 503, 504].includes(error.status);
      if (error instanceof Problem && !isBusy) throw error;
      waiting(error);
      await pause(1000 * (error.retryAfter || 0) || PAUSES[Math.min(attempt, PAUSES.length - 1)]);
    }
  }
}

export function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
