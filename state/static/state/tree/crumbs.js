// The way to the chosen row, as a way back up. Of a long one both ends are shown.

import { h } from "../../nola/lib/dom.js";
import { shownName } from "../../nola/lib/names.js";

const MOST = 8; // steps that are shown all
const LAST = 5;

/** Show the steps of a way; `reveal(tokens)` leads to one. */
export function draw(place, tokens, reveal) {
  const step = (token, at) =>
    h(
      "button.tree-crumb",
      {
        type: "button",
        onclick: () => reveal(tokens.slice(0, at + 1)),
        "aria-current": at === tokens.length - 1 ? "true" : undefined,
      },
      shownName(token),
    );
  const show = (steps) => {
    const between = () => h("span.ui-soft", { "aria-hidden": "true" }, "›");
    place.replaceChildren(...steps.flatMap((one) => [between(), one]).slice(1));
    place.scrollLeft = place.scrollWidth; // its end is where one is
  };
  const steps = tokens.map(step);
  if (steps.length <= MOST) return show(steps);
  const hidden = steps.length - 1 - LAST;
  const all = () => {
    show(steps);
    steps[1].focus();
  };
  const rest = h("button.tree-crumb", { type: "button", "aria-label": `${hidden} levels between`, onclick: all }, `… ${hidden} …`);
  return show([steps[0], rest, ...steps.slice(-LAST)]);
}
