// What is asked for: the form, and the same in the address after the #, so that it can be kept and sent on.

import { h, icon } from "../../nola/lib/dom.js";

const PLAIN = ["budget", "conversation", "messages", "q", "hits", "talk"];
const LOWEST = 20;
const HIGHEST = 20000; // of the slider; the number beside it takes any

/** The form as a thing to ask for; `changed` is called whenever it asks for something else. */
export function form_of(form, part, changed) {
  const sections = new Set();
  const fields = form.elements;

  function draw() {
    part("chips").replaceChildren(...[...sections].map(chip));
    part("add").placeholder = sections.size ? "Another one" : "All keys";
    const talks = Boolean(fields.conversation.value.trim() || fields.q.value.trim());
    part("talk").hidden = !talks;
    fields.messages.disabled = !fields.conversation.value.trim();
    fields.hits.disabled = !fields.q.value.trim();
    part("range").value = to_range(Number(fields.budget.value) || LOWEST);
  }

  function chip(name) {
    const label = `Remove ${name}`;
    const remove = () => {
      sections.delete(name);
      draw();
      part("add").focus();
      changed();
    };
    return h("li.ctx-chip", {}, h("span", {}, name), h("button", { type: "button", "aria-label": label, title: label, onclick: remove }, icon("close")));
  }

  function add() {
    const name = part("add").value.trim();
    part("add").value = "";
    if (!name || sections.has(name)) return;
    sections.add(name);
    draw();
    changed();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target === part("add")) return;
    if (event.target === part("range")) fields.budget.value = from_range(Number(event.target.value));
    draw();
    changed();
  });
  part("add").addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      add();
    } else if (event.key === "Backspace" && !event.target.value && sections.size) {
      sections.delete([...sections].at(-1));
      draw();
      changed();
    }
  });
  part("add").addEventListener("change", add);

  return {
    /** What is asked for, as parameters of GET /api/context. */
    asked() {
      const found = new URLSearchParams();
      for (const name of sections) found.append(name.startsWith("/") ? "pointer" : "key", name);
      if (fields.level.value !== "3") found.set("level", fields.level.value);
      for (const name of PLAIN) {
        const text = fields[name].value.trim();
        const goes = name === "talk" ? !part("talk").hidden : !fields[name].disabled;
        if (text && goes) found.set(name, text);
      }
      found.set("format", fields.format.value);
      return found;
    },

    /** Let the form ask for what parameters say. */
    set(parameters) {
      sections.clear();
      for (const [name, value] of parameters) if (name === "key" || name === "pointer") sections.add(value);
      for (const name of PLAIN) fields[name].value = parameters.get(name) ?? fields[name].defaultValue;
      fields.level.value = parameters.get("level") ?? "3";
      fields.format.value = parameters.get("format") ?? "markdown";
      draw();
    },
  };
}

function to_range(budget) {
  return Math.round((100 * Math.log(Math.max(1, budget / LOWEST))) / Math.log(HIGHEST / LOWEST));
}

function from_range(at) {
  const exact = LOWEST * (HIGHEST / LOWEST) ** (at / 100);
  const step = 10 ** Math.max(0, Math.floor(Math.log10(exact)) - 1);
  return Math.round(exact / step) * step;
}
