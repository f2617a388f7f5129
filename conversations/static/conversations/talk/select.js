// Choosing messages by their boxes, one by one or with Shift all in between, and deleting them.

export class Selection {
  /** `remove(ids)` deletes what was chosen. */
  constructor(root, remove) {
    this.root = root;
    this.last = null;
    this.part(".nola-select").onclick = () => this.turn(!this.isOn);
    this.part(".nola-cancel").onclick = () => this.turn(false);
    this.part(".nola-delete-chosen").onclick = async () => {
      if (await remove(this.boxes(":checked").map((box) => Number(box.closest(".nola-row").dataset.id)))) this.turn(false);
    };
    this.part(".nola-talk-list").addEventListener("click", (event) => this.clicked(event));
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  get isOn() {
    return this.root.classList.contains("is-selecting");
  }

  boxes(which = "") {
    return [...this.root.querySelectorAll(`.nola-check${which}`)];
  }

  turn(isOn) {
    this.root.classList.toggle("is-selecting", isOn);
    this.part(".nola-select").setAttribute("aria-pressed", String(isOn));
    this.part(".nola-talk-bar").hidden = !isOn;
    if (!isOn) for (const box of this.boxes(":checked")) box.checked = false;
    this.count();
  }

  count() {
    const count = this.boxes(":checked").length;
    const hint = "Choose messages; with Shift, all in between";
    this.part(".nola-talk-chosen").textContent = count ? `${count.toLocaleString()} selected` : hint;
    this.part(".nola-delete-chosen").disabled = !count;
  }

  clicked(event) {
    if (!event.target.classList.contains("nola-check")) return;
    if (event.shiftKey && this.last?.isConnected) {
      const all = this.boxes();
      const [from, to] = [all.indexOf(this.last), all.indexOf(event.target)].sort((one, other) => one - other);
      for (const box of all.slice(from, to + 1)) box.checked = event.target.checked;
    }
    this.last = event.target;
    this.count();
  }
}
