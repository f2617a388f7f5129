// What is selected in a list, and its menus. Without it each row is still selected alone, and the deeds work.

const form = document.getElementById("changelist-form");
const bar = form?.querySelector(".ui-list-bar");
const boxes = [...(form?.querySelectorAll(".action-select") ?? [])];
const all = document.getElementById("action-toggle");

class Selection {
  constructor() {
    this.across = bar.querySelector("[data-part=across]");
    this.last = undefined;
    form.addEventListener("click", (event) => this.reach(event));
    form.addEventListener("change", (event) => this.changed(event.target));
    this.page = bar.querySelector("[data-part=page]");
    this.page.onclick = () => this.select(boxes);
    bar.querySelector("[data-part=none]").onclick = () => this.select([]);
    if (this.across) this.across.onclick = () => this.tell(true);
    addEventListener("pageshow", () => this.tell()); // a page that comes back has its boxes as they were
  }

  /** Shift and a click select all between this one and the one before. */
  reach(event) {
    const at = boxes.indexOf(event.target);
    if (at < 0) return;
    if (event.shiftKey && this.last !== undefined) {
      const [from, to] = [Math.min(at, this.last), Math.max(at, this.last)];
      for (const box of boxes.slice(from, to + 1)) box.checked = event.target.checked;
      this.tell();
    }
    this.last = at;
  }

  changed(target) {
    if (target === all) this.select(all.checked ? boxes : []);
    else if (boxes.includes(target)) this.tell();
  }

  select(some) {
    for (const box of boxes) box.checked = some.includes(box);
    this.tell();
  }

  tell(isAcross = false) {
    const count = boxes.filter((box) => box.checked).length;
    const total = this.across?.dataset.count;
    all.checked = count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
    form.elements.select_across.value = isAcross ? "1" : "0";
    bar.querySelector("[data-part=selected]").textContent = `${isAcross ? total : count} selected`;
    this.page.hidden = count === boxes.length;
    if (this.across) this.across.hidden = isAcross || count < boxes.length;
  }
}

/** What cannot be taken back, and is not asked about on a page of its own, is pressed twice. */
function askTwice(button) {
  const label = button.textContent;
  button.onclick = (event) => {
    if (button.dataset.asked) return;
    event.preventDefault();
    button.dataset.asked = "yes";
    button.textContent = `${label}: press again`;
  };
  button.onblur = () => {
    delete button.dataset.asked;
    button.textContent = label;
  };
}

/** A menu closes by Escape, by a press elsewhere, and once something of it is chosen. */
function closeMenus(event) {
  for (const menu of document.querySelectorAll(".ui-list-menu[open]")) {
    const goes = { keydown: event.key === "Escape", click: event.target.closest("a"), pointerdown: !menu.contains(event.target) };
    if (!goes[event.type]) continue;
    if (event.type === "keydown" && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
}

addEventListener("keydown", closeMenus);
addEventListener("pointerdown", closeMenus);
addEventListener("click", closeMenus);
if (bar && boxes.length) new Selection();
bar?.querySelectorAll("[data-twice]").forEach(askTwice);
