// The order of rows on the page: that of the model, whatever happened before.

import { moving } from "../../nola/lib/dom.js";

/** Put these elements into a group in this order, moving as few as it takes where one has moved. What else stands in
 *  the group stays where it is: `isOther(element)`. */
export function arrange(group, elements, isOther) {
  let at = group.firstElementChild;
  elements.forEach((element) => {
    while (at && at !== element && isOther(at)) at = at.nextElementSibling;
    if (at && at !== element && at.nextElementSibling === element) at = element; // what stood between has its turn later
    if (at === element) at = element.nextElementSibling;
    else place(group, element, at);
  });
}

/** Put an element somewhere, and leave focus, caret and scrolling in it as they are. */
export function place(parent, element, next) {
  const typing = element.contains(document.activeElement) ? document.activeElement : undefined;
  if (element.isConnected && parent.moveBefore) return parent.moveBefore(element, next);
  if (!typing) return parent.insertBefore(element, next);
  const { selectionStart, selectionEnd, scrollTop } = typing; // browsers that cannot move drop the focus
  moving.now = true;
  parent.insertBefore(element, next);
  typing.focus({ preventScroll: true });
  if (selectionStart !== undefined) typing.setSelectionRange(selectionStart, selectionEnd);
  typing.scrollTop = scrollTop;
  moving.now = false;
  return undefined;
}

// The ways between rows

export function after(element) {
  let next = element.nextElementSibling;
  while (next && !next.matches(".tree-node:not(.tree-leaving)")) next = next.nextElementSibling;
  return next;
}

export function before(element) {
  let previous = element.previousElementSibling;
  while (previous && !previous.matches(".tree-node:not(.tree-leaving)")) previous = previous.previousElementSibling;
  return previous;
}

export function following(element) {
  const first = element.querySelector(":scope > ul > li");
  if (first) return first;
  for (let one = element; one?.matches("li"); one = one.parentElement.closest("li"))
    if (one.nextElementSibling) return one.nextElementSibling;
  return null;
}

export function preceding(element, list) {
  let previous = element.previousElementSibling;
  if (!previous) return element.parentElement === list ? null : element.parentElement.closest("li");
  for (let last; (last = previous.querySelector(":scope > ul > li:last-child"));) previous = last;
  return previous;
}
