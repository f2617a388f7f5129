// What can be asked of any page, in the page: tests/pages.py puts it there.

const OWN = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable]";
const INERT = "[disabled], [inert] *, [type=hidden], [tabindex='-1']";
const TOLD = ["outline", "boxShadow", "borderColor", "backgroundColor", "color", "textDecoration", "opacity", "clipPath"];

const name = (element) =>
  `${element.tagName.toLowerCase()}${element.id && `#${element.id}`}.${[...element.classList].slice(0, 3).join(".")} ` +
  `"${(element.ariaLabel ?? element.textContent).trim().replace(/\s+/g, " ").slice(0, 40)}"`;

const isSeen = (element) =>
  element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && element.getClientRects().length > 0;

/** All elements, also those in shadow trees. */
const all = (root = document) =>
  [...root.querySelectorAll("*")].flatMap((one) => (one.shadowRoot ? [one, ...all(one.shadowRoot)] : [one]));

const deepActive = () => {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active;
};

/** What stands out over the right edge of the page, and of no part of it that scrolls. */
function wide() {
  const width = document.documentElement.clientWidth;
  const found = [];
  if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const one of all()) {
    const { right, width: own, height } = one.getBoundingClientRect();
    if (right <= width + 1 || own <= 1 || height <= 1 || !isSeen(one)) continue;
    let over = one.parentElement;
    while (over && !/auto|scroll|hidden|clip/.test(getComputedStyle(over).overflowX)) over = over.parentElement;
    const isFixed = (element) => element && (getComputedStyle(element).position === "fixed" || isFixed(element.parentElement));
    if ((!over || over === document.body || over === document.documentElement) && !isFixed(one)) found.push(name(one));
  }
  return found.slice(0, 5);
}

/** What moves longer than a moment, or would. */
function moving() {
  const long = (style, kind) =>
    style[`${kind}Duration`].split(",").some((one) => parseFloat(one) > (one.endsWith("ms") ? 1 : 0.001));
  const would = all().filter((one) =>
    [null, "::before", "::after"].some((part) => {
      const style = getComputedStyle(one, part);
      return long(style, "transition") || (style.animationName !== "none" && long(style, "animation"));
    }),
  );
  const does = document.getAnimations().filter(({ effect }) => effect.getComputedTiming().duration > 1);
  return [...would.map(name), ...does.map(({ effect }) => `it moves: ${name(effect.target)}`)].slice(0, 5);
}

/** Whether nothing moves any more, but for what moves for ever. */
const isStill = () => !document.getAnimations().some((one) => one.playState === "running" && one.effect.getComputedTiming().endTime < Infinity);

/** How an element and what is around and in it looks; whether it has the focus must be seen by that. */
function look(element) {
  const near = [element, element.parentElement, element.firstElementChild, element.nextElementSibling];
  return near
    .filter(Boolean)
    .flatMap((one) => [null, "::before", "::after"].map((part) => getComputedStyle(one, part)))
    .map((style) => TOLD.map((property) => style[property]).join())
    .join("|");
}

/** Whether something else lies on all of an element. */
function isCovered(element) {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  if (right - left < 2 || bottom - top < 2) return false;
  const root = element.getRootNode();
  return [0.5, 0.1, 0.9].every((part) => {
    const x = Math.min(innerWidth - 1, Math.max(0, left + (right - left) * part));
    const hit = root.elementFromPoint(x, Math.min(innerHeight - 1, Math.max(0, (top + bottom) / 2)));
    return hit && !element.contains(hit) && !hit.contains(element) && !element.labels?.length;
  });
}

const PARTS = 8; // that a field for a date has, at most
const walk = { seen: new Set(), last: null, again: 0, faults: [] };

/** Begin the walk at the top, wherever a page has put the focus. */
function begin() {
  const top = document.body.appendChild(document.createElement("span"));
  document.body.prepend(top);
  top.tabIndex = -1;
  top.focus();
  top.remove();
}

/** The focus has come to another element: note it, and what was wrong with the last. Returns whether it goes on. */
function step() {
  const active = deepActive();
  if (walk.last?.element === active && (walk.again += 1) < PARTS) return true;
  if (walk.last?.element === active) walk.faults.push(`Tab does not leave ${name(active)}`);
  walk.again = 0;
  if (walk.last && walk.last.element !== active && walk.last.element.isConnected) {
    const { element, shown } = walk.last;
    if (look(element) === shown) walk.faults.push(`the focus is not seen on ${name(element)}`);
  }
  walk.last = null;
  if (!active || active === document.body) return false;
  if (walk.seen.has(active)) return false;
  walk.seen.add(active);
  walk.last = { element: active, shown: look(active) };
  if (!isSeen(active) && getComputedStyle(active).opacity !== "0") walk.faults.push(`hidden, and has the focus: ${name(active)}`);
  if (isCovered(active)) walk.faults.push(`covered, and has the focus: ${name(active)}`);
  return true;
}

/** The parts of a widget of which only one is in the order of Tab. */
const isRoving = (element) => element.closest("[role=tree], [role=menu], [role=tablist], [role=toolbar], [role=listbox], [role=radiogroup], [role=feed]");
const isRadio = (element) => element.type === "radio" && [...document.getElementsByName(element.name)].some((one) => walk.seen.has(one));

/** What the walk has not come to. */
function missed() {
  const found = all().filter(
    (one) => one.matches(OWN) && !one.matches(INERT) && isSeen(one) && !walk.seen.has(one) && !isRadio(one) && !isRoving(one),
  );
  const pointed = all().filter(
    (one) =>
      getComputedStyle(one).cursor === "pointer" &&
      isSeen(one) &&
      !one.closest(`${OWN}, label`) &&
      !one.querySelector(OWN) &&
      getComputedStyle(one.parentElement).cursor !== "pointer",
  );
  return [
    ...walk.faults,
    ...found.map((one) => `Tab does not come to ${name(one)}`),
    ...pointed.map((one) => `only a pointer can press ${name(one)}`),
  ];
}

/** What has been opened above the page, and is to be closed again. */
const isOpen = () => document.querySelector("dialog[open], :popover-open") !== null;

/** The buttons that may open something, as places among all. */
function openers() {
  const buttons = [...document.querySelectorAll("main button[type=button], main [aria-haspopup]")];
  return buttons.map((one, at) => [one, at]).filter(([one]) => isSeen(one) && !one.disabled).map(([, at]) => at);
}

/** Press one of them by keyboard alone: that is for the test to do, with the focus here. */
function aim(at) {
  const button = document.querySelectorAll("main button[type=button], main [aria-haspopup]")[at];
  button?.focus();
  walk.opener = button;
  return button === document.activeElement;
}

/** Whether the focus has come back to what was pressed. */
const cameBack = () => !walk.opener.isConnected || document.activeElement === walk.opener;
const opener = () => name(walk.opener);

window.pageChecks = { aim, cameBack, isOpen, opener, openers,
  begin, isStill, missed, moving, name, step, wide, walk };
