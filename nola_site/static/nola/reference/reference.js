// The API reference: a filter, links to single calls, and calls tried out with the session or with a key that is pasted.

import { enableCopying } from "../lib/copy.js";
import { fold } from "../lib/fold.js";
import { BadJSON, parse, write } from "../lib/json.js";

const SHOWN = 100_000; // characters of an answer
const TOLD = ["Nola-Revision", "ETag", "Location", "Link", "Retry-After"];
const calls = [...document.querySelectorAll("[data-words]")];
const filter = document.getElementById("filter");
const key = document.getElementById("key");

filter.oninput = () => {
  const words = fold(filter.value).split(/\s+/);
  for (const one of calls) one.hidden = !words.every((word) => fold(one.dataset.words).includes(word));
  for (const section of document.querySelectorAll("main > section"))
    section.hidden = !section.querySelector("[data-words]:not([hidden])");
  const found = calls.filter((one) => !one.hidden).length;
  document.getElementById("found").textContent = filter.value.trim() ? `${found} of ${calls.length} calls` : "";
};

addEventListener("keydown", (event) => {
  if (event.target === filter && event.key === "Escape") {
    filter.value = "";
    filter.oninput();
  } else if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, select")) {
    event.preventDefault();
    filter.focus();
  }
});

for (const one of calls)
  one.addEventListener("toggle", (event) => {
    if (event.target === one && one.open) history.replaceState(null, "", `#${one.id}`);
  });

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named?.matches("[data-words]")) return;
  named.open = true;
  named.scrollIntoView();
}

addEventListener("hashchange", openNamed);
openNamed();
enableCopying();

for (const form of document.querySelectorAll(".reference-call"))
  form.onsubmit = (event) => {
    event.preventDefault();
    send(form);
  };

async function send(form) {
  const { method } = form.dataset;
  const address = addressOf(form);
  const body = form.elements.body?.value;
  const headers = body ? { "Content-Type": form.elements.type.value } : {};
  const answer = form.querySelector(".reference-answer");
  const [status, content] = [answer.querySelector(".reference-status"), answer.querySelector(".reference-content")];
  form.querySelector("[id$=-curl]").textContent = curl(method, address, headers, body);
  answer.hidden = false;
  content.hidden = true;
  status.textContent = "…";
  delete status.dataset.ok;
  try {
    const options = { method, cache: "no-store", ...(body && { body }), ...credential(headers, method) };
    const response = await fetch(address, options);
    const told = TOLD.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
    status.textContent = [`${response.status} ${response.statusText}`, ...told].join(" · ");
    status.dataset.ok = response.ok;
    content.textContent = shorten(spread(await response.text()));
    content.hidden = !content.textContent;
  } catch {
    status.textContent = "The server cannot be reached.";
    status.dataset.ok = false;
  }
}

/** The key, if one is there; else the session. */
function credential(headers, method) {
  const pasted = key.value.trim();
  if (pasted) return { credentials: "omit", headers: { ...headers, Authorization: `Bearer ${pasted}` } };
  const token = /(?:^|; )nola_csrf=([^;]*)/.exec(document.cookie)?.[1] ?? "";
  return { credentials: "same-origin", headers: { ...headers, ...(method !== "GET" && { "X-CSRFToken": token }) } };
}

function addressOf(form) {
  const fields = [...form.querySelectorAll("[data-place]")];
  const query = new URLSearchParams();
  let path = form.dataset.path;
  for (const { name, value, dataset } of fields)
    if (dataset.place === "path") {
      const encoded = name === "address" ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
      path = value || !form.dataset.root ? path.replace(`{${name}}`, () => encoded) : form.dataset.root;
    } else for (const line of value.split("\n").filter(Boolean)) query.append(name, line);
  return query.size ? `${path}?${query}` : path;
}

function curl(method, address, headers, body) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = [
    `curl -H "Authorization: Bearer $MEMORY_KEY"`,
    ...(method === "GET" ? [] : [`-X ${method}`]),
    ...Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`),
    ...(body ? [`--data-binary ${quote(body)}`] : []),
    quote(location.origin + address),
  ];
  return parts.join(" ");
}

/** JSON a member a line, its numbers as they are; anything else as it stands. */
function spread(text) {
  try {
    return write(parse(text), "  ");
  } catch (error) {
    if (error instanceof BadJSON) return text;
    throw error;
  }
}

function shorten(text) {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}\n… (${text.length - SHOWN} characters more)` : text;
}
