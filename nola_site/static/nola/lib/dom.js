// Elements, made without any markup from data: text is always text.

/** Whether an element that has the focus is just being put somewhere else, so that nobody has left it. */
export const moving = { now: false };

/** An element: h("button.ui-button", {onclick, "aria-label": "…"}, "text", child, …). */
export function h(what, properties = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function" || name in element) element[name] = value;
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function icon(name) {
  return h("span.material-symbols-outlined", { "aria-hidden": "true", translate: false }, name);
}

/** Say something to those who do not see it. */
export function announce(text) {
  const region = document.getElementById("tree-said");
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${(count / 1e3).toFixed(count < 1e4 ? 1 : 0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export function count(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
