// What is shown, in the bar and in the address: #actor=key:planner&source=api&key=Tasks&when=hour; the overview leads
// here with #when=visit&after=1234, the revision that was seen last.

import { DOORS, nameActor, within } from "../../nola/lib/authors.js";
import { fromField, midnight } from "../../nola/lib/dates.js";
import { h } from "../../nola/lib/dom.js";

const NAMES = ["actor", "source", "key", "reason", "when", "from", "to", "batch", "after"];
const GROUPS = { agent: "Agents", person: "People", you: "People", cli: "Command line", nola: "Nola itself" };
const HOUR = 3_600_000;
const WHEN = { hour: "in the last hour", today: "today", week: "in the last 7 days", visit: "since your last visit" };

export class Filters {
  /** `changed(filter)` is called with what history is to be asked for, at first and whenever it is another. */
  constructor(form, me, changed) {
    Object.assign(this, { form, me, changed });
    this.fields = form.elements;
    const known = JSON.parse(document.getElementById("act-actors").textContent);
    this.actors = new Set();
    known.forEach((actor) => this.know(actor));
    for (const [source, word] of Object.entries(DOORS)) this.fields.source.append(h("option", { value: source }, word));
    const keys = JSON.parse(document.getElementById("act-known-keys").textContent);
    form.querySelector("datalist").append(...keys.map((key) => h("option", { value: key })));
    form.onchange = () => this.write();
    form.onsubmit = (event) => {
      event.preventDefault();
      this.write();
    };
    form.querySelector("[data-part=clear]").onclick = () => (location.hash = "");
    addEventListener("hashchange", () => this.read());
  }

  /** Offer an actor in the filter. */
  know(actor) {
    if (this.actors.has(actor)) return;
    this.actors.add(actor);
    const { name, kind } = nameActor(actor, this.me);
    const label = GROUPS[kind] ?? "Others";
    const select = this.fields.actor;
    let group = [...select.querySelectorAll("optgroup")].find((one) => one.label === label);
    if (!group) select.append((group = h("optgroup", { label })));
    group.append(h("option", { value: actor }, name));
  }

  /** From the address into the bar. */
  read() {
    const given = new URLSearchParams(location.hash.slice(1));
    this.values = Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? ""]));
    if (this.values.from || this.values.to) this.values.when = "span";
    if (this.values.when !== "visit" || !/^\d+$/.test(this.values.after)) this.values.after = "";
    if (this.values.when === "visit" && !this.values.after) this.values.when = "";
    this.fields.when.querySelector("[value=visit]").hidden = !this.values.after;
    if (this.values.actor) this.know(this.values.actor);
    for (const name of NAMES) if (this.fields[name]) this.fields[name].value = this.values[name];
    this.form.querySelector("[data-part=span]").hidden = this.values.when !== "span";
    this.form.querySelector("[data-part=clear]").hidden = !this.isNarrow;
    this.shown = this.asked();
    this.changed(this.shown);
  }

  /** From the bar into the address. */
  write() {
    const values = { ...this.values };
    for (const name of NAMES) if (this.fields[name]) values[name] = this.fields[name].value.trim();
    if (values.when !== "span") values.from = values.to = "";
    if (values.when !== "visit") values.after = "";
    const some = NAMES.filter((name) => values[name] && !(name === "when" && (values.from || values.to)));
    const hash = new URLSearchParams(some.map((name) => [name, values[name]])).toString();
    if (hash === location.hash.slice(1)) return;
    location.hash = hash;
  }

  get isNarrow() {
    return NAMES.some((name) => this.values[name]);
  }

  /** What history is asked for. */
  asked() {
    const { actor, source, key, reason, batch } = this.values;
    return { actor, source, key, reason, batch, since: this.since(), until: this.until() };
  }

  since() {
    const now = new Date();
    switch (this.values.when) {
      case "hour":
        return new Date(now - HOUR).toISOString();
      case "today":
        return midnight(now).toISOString();
      case "week":
        return new Date(now - 7 * 24 * HOUR).toISOString();
      case "visit":
        return this.values.after;
      default:
        return moment(this.values.from);
    }
  }

  until() {
    return moment(this.values.to);
  }

  /** Of one actor all is shown that it did in the time: {actor, since, until} for an undo of that, and in words. */
  get whole() {
    const { actor, source, key, reason, batch, when, from, to } = this.values;
    if (!actor || source || key || reason || batch) return undefined;
    const name = within(nameActor(actor, this.me).name);
    const from_to = [from && `from ${from.replace("T", " ")}`, to && `to ${to.replace("T", " ")}`].filter(Boolean).join(" ");
    const { since, until } = this.shown;
    return { what: { actor, since, until }, name, when: WHEN[when] ?? from_to };
  }
}

/** A time of the bar as a moment that has passed; undefined for none. */
function moment(text) {
  const at = fromField(text);
  return at && at < new Date() ? at.toISOString() : undefined;
}
