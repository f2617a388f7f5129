// The page of one change: Escape leads to all activity, U takes it back.

import { key_of, wire } from "./one.js";
import { address } from "./rows.js";

const article = document.getElementById("one");

wire(article, (seq) => (location.href = address(seq)));
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.target.closest("input, textarea, select, dialog")) return;
  if (event.key === "Escape") document.getElementById("one-list").click();
  else key_of(event, article);
});
