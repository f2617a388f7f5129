// The page: asks as the form says, a moment after the last change, and shows what an agent would be given.

import { Problem, call } from "../../nola/lib/api.js";
import { sentence } from "../../nola/lib/dom.js";
import { form_of } from "./form.js";
import { about, list_of } from "./receipts.js";
import { draw } from "./report.js";

const PAUSE = 200; // milliseconds
const root = document.getElementById("ctx");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const { actor, tree, weights, inState, inConversations, mayKeep } = root.dataset; // of the last three "" means yes
const receipts = part("receipts") ? list_of(part, actor) : null; // shown to those who may read both
const form = form_of(part("form"), part, () => {
  receipt = undefined;
  history.replaceState(null, "", `#${form.asked()}`);
  clearTimeout(timer);
  timer = setTimeout(show, PAUSE);
});

let receipt; // the name of the one that is shown
let timer = 0;
let running; // the request on its way

/** Ask, unless something else is asked for meanwhile; what is shown stays until there is an answer. */
async function show() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  part("result").setAttribute("aria-busy", "true");
  try {
    const path = receipt ? `/api/context/${encodeURIComponent(receipt)}` : `/api/context?${form.asked()}`;
    shown(JSON.parse((await call("GET", path, { signal })).text));
    fail();
  } catch (error) {
    if (signal.aborted) return;
    fail(error);
  }
  if (!signal.aborted) part("result").removeAttribute("aria-busy");
}

function shown(report) {
  part("result").classList.remove("ctx-new");
  draw(report, part, tree);
  part("receipt").hidden = !report.receipt;
  part("receipt").replaceChildren(...(report.receipt ? about(report, actor) : []));
  part("keep").hidden = mayKeep === undefined || Boolean(report.receipt);
}

function fail(error) {
  part("problem").hidden = !error;
  part("problem").textContent = error ? words_of(error) : "";
  part("result").classList.toggle("ctx-stale", Boolean(error));
}

function words_of(error) {
  if (error instanceof Problem) return `${sentence(error.message)}.`;
  if (error instanceof TypeError) return "Nola cannot be reached; what you see is from before.";
  throw error;
}

function say(text) {
  part("said").textContent = text;
}

async function copy() {
  const text = part("text").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(part("text")); // not allowed here: at least it is marked
    say("Press Ctrl+C to copy the text");
    return;
  }
  part("copy").textContent = "Copied";
  say("The text is copied");
  setTimeout(() => (part("copy").textContent = "Copy"), 2000);
}

/** Keep a receipt of what the form asks for. */
async function keep() {
  part("keep").disabled = true;
  try {
    const body = JSON.stringify(body_of(form.asked()));
    const { text } = await call("POST", "/api/context", { body, type: "application/json" });
    if (receipts) location.hash = `receipt=${JSON.parse(text).receipt}`;
    await receipts?.refresh();
    say("A receipt is kept");
  } catch (error) {
    fail(error);
  }
  part("keep").disabled = false;
}

function body_of(asked) {
  const body = { keys: asked.getAll("key"), pointers: asked.getAll("pointer") };
  for (const [name, value] of asked) {
    if (name === "key" || name === "pointer") continue;
    body[name] = ["conversation", "q", "format"].includes(name) ? value : Number(value);
  }
  return body;
}

/** Lead to the weights; where there are none yet, an empty object of them is made first. */
async function weigh(event) {
  event.preventDefault();
  const { href } = event.currentTarget;
  const headers = { "If-None-Match": "*", Prefer: "return=minimal" };
  try {
    const found = JSON.parse((await call("GET", "/api/query", { query: { path: `$.${weights}` } })).text);
    if (!found.results.length)
      await call("PUT", `/api/state/${weights}`, { body: "{}", type: "application/json", headers });
  } catch (error) {
    if (error.status !== 412) return fail(error); // 412: somebody has just made them
  }
  location.href = href;
}

function read_hash() {
  const asked = new URLSearchParams(location.hash.slice(1));
  receipt = asked.get("receipt") ?? undefined;
  if (!receipt) form.set(asked);
  clearTimeout(timer);
  show();
}

/** What can be named: keys and conversations, the first thousand. */
async function offer() {
  await Promise.all([inState === undefined || offer_keys(), inConversations === undefined || offer_conversations()]);
}

async function offer_keys() {
  const { text } = await call("GET", "/api/state", { query: { view: "tree", depth: 1, limit: 1000 } });
  const names = JSON.parse(text).members.map(([name]) => name);
  part("keys").replaceChildren(...names.filter((name) => name !== weights).map((name) => new Option(name, name)));
}

async function offer_conversations() {
  const { text } = await call("GET", "/api/conversations", { query: { limit: 1000 } });
  const rows = JSON.parse(text).conversations;
  part("conversations").replaceChildren(...rows.map((one) => new Option(one.name, one.session_id)));
}

part("copy").addEventListener("click", copy);
part("keep").addEventListener("click", keep);
part("weights")?.addEventListener("click", weigh);
addEventListener("hashchange", read_hash);
addEventListener("focus", () => receipt || show());
read_hash();
Promise.all([offer(), receipts?.refresh()]).catch(fail);
