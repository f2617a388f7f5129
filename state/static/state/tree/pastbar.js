// The bar of the past: a slider over all changes, the moment it stands at with its author and reason, and ways to others.

import { author, nameActor } from "../../nola/lib/authors.js";
import { exactTime, fromField, fullTime, toField, when } from "../../nola/lib/dates.js";
import { h, icon } from "../../nola/lib/dom.js";
import { places_of } from "./marks.js";
import { short } from "./told.js";

const PLACES = 3;

export class Bar {
  constructor(past, page) {
    Object.assign(this, { past, element: page.querySelector("[data-part=bar]"), button: page.querySelector("[data-part=past]") });
    this.me = page.dataset.actor;
    this.made();
    this.element.append(
      h("div.past-line", {}, this.before, this.slider, this.after, this.jump, this.compare, this.now, this.shut),
      h("div.past-told", {}, this.told, this.where),
    );
  }

  made() {
    const tool = (symbol, label, onclick) =>
      h("button.ui-icon", { type: "button", title: label, "aria-label": label.replace(/ \(.*/, ""), onclick }, icon(symbol));
    const { past } = this;
    this.before = tool("chevron_left", "Previous change ([)", () => past.step(-1));
    this.after = tool("chevron_right", "Next change (])", () => past.step(1));
    this.shut = tool("close", "Close (H)", () => past.toggle());
    this.slider = h("input.past-slider", { type: "range", min: 0, step: 1, "aria-label": "Moment" });
    this.slider.oninput = () => past.to(Number(this.slider.value));
    this.slider.onkeydown = (event) => this.key(event);
    this.field = h("input.past-field.ui-input.ui-small", { type: "datetime-local", step: 1, "aria-label": "Go to a time" });
    this.jump = h("form.past-jump", { onsubmit: (event) => this.go(event) }, this.field, h("button.ui-button.ui-small", {}, "Go"));
    this.compare = h("button.ui-button.ui-small.past-compare", { type: "button" }, icon("compare"), h("span", {}, "Compare with …"));
    this.now = h("button.ui-button.ui-small.ui-primary", { type: "button", onclick: () => past.back() }, "Back to now");
    this.compare.setAttribute("aria-label", "Compare with another moment");
    this.told = h("div.past-moment");
    this.where = h("div.past-count");
  }

  get isOpen() {
    return !this.element.hidden;
  }

  open() {
    this.element.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
  }

  close() {
    this.element.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.past.app.view.focus(this.past.app.view.current, { scroll: false });
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !by) return;
    event.preventDefault();
    this.past.step(by);
  }

  go(event) {
    event.preventDefault();
    const time = fromField(this.field.value);
    if (!time) return;
    const { moments } = this.past;
    const seconds = Math.floor(time / 1000);
    if (time > Date.now()) this.past.app.mine.say("That is still to come. This is now.");
    else if (moments.placeAt(seconds) < 0) this.past.app.mine.say("Nothing was here before this, the first change.");
    this.past.to(time > Date.now() ? moments.count : moments.placeAt(seconds));
  }

  /** When a moment was, in full. */
  when(place) {
    return fullTime(this.past.moments.seconds[place] * 1000);
  }

  /** Bring the bar up to date; what it says of a moment is known without asking. */
  draw() {
    if (!this.isOpen) return;
    const { past, slider } = this;
    const { moments, place } = past;
    const isNow = past.at === undefined;
    Object.assign(slider, { max: moments.count, value: place, disabled: !moments.count });
    slider.style.setProperty("--past-at", moments.count ? place / moments.count : 1);
    slider.setAttribute("aria-valuetext", isNow ? "Now" : this.spoken(place));
    this.before.disabled = place <= 0;
    this.after.disabled = this.now.disabled = isNow;
    this.compare.disabled = isNow || past.level > 0;
    this.compare.title = isNow ? "First slide back to a moment" : "Beside another moment, or now";
    this.compare.setAttribute("aria-pressed", String(past.other !== undefined));
    if (document.activeElement !== this.field) this.field.value = isNow || place < 0 ? "" : toField(moments.seconds[place] * 1000);
    this.told.replaceChildren(...(isNow ? this.live() : this.moment(place)));
    const number = isNow ? "" : `change ${(place + 1).toLocaleString("en")} of ${moments.count.toLocaleString("en")}`;
    this.where.replaceChildren(...[past.newerText, number].filter(Boolean).map((text) => h("span", {}, text)));
  }

  spoken(place) {
    return `${this.when(place)}, ${nameActor(this.past.moments.actors[place], this.me).name}`;
  }

  live() {
    const { count } = this.past.moments;
    const text = count ? "Slide back, or press ← here: all is shown as it was then, and nothing is changed by looking." : "Nothing has changed yet.";
    return [h("strong", {}, "Now"), h("span.ui-soft", {}, text)];
  }

  moment(place) {
    const { moments, event, at } = this.past;
    if (place < 0) return [h("strong", {}, "Before the first change")];
    const seconds = moments.seconds[place];
    const parts = [
      h("strong", {}, h("time.ui-when", { dateTime: exactTime(seconds * 1000), title: exactTime(seconds * 1000) }, this.when(place))),
      h("span.ui-soft", {}, when(seconds * 1000, { isAgo: true })),
      author(moments.actors[place], this.me),
    ];
    if (event?.revision !== at) return parts;
    if (event.reason) parts.push(h("q.past-why", {}, event.reason));
    return [...parts, ...this.places(event)];
  }

  places(event) {
    const found = places_of(event);
    const links = found.slice(0, PLACES).map(({ tokens }) =>
      h(
        "button.past-place",
        { type: "button", title: "Show it in the tree", onclick: () => this.past.app.actions.reveal(tokens) },
        tokens.map((token) => short(token)).join(" › "),
      ),
    );
    if (found.length > PLACES) links.push(h("span.ui-soft", {}, `and ${(found.length - PLACES).toLocaleString("en")} more`));
    return links;
  }
}
