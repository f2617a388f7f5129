// The list of checkpoints: verdicts that were not known at once, and adding a file.

import { h } from "../../nola/lib/dom.js";

/** Ask for the verdicts that the server had no time for, one after another, those in sight first. */
async function judge(rows) {
  for (const row of rows) {
    const badge = row.querySelector("[data-part=verdict]");
    try {
      const response = await fetch(row.dataset.verdict, { headers: { Accept: "application/json" } });
      const { problem } = await response.json();
      badge.textContent = problem ? "damaged" : "sound";
      badge.classList.add(problem ? "ui-bad" : "ui-good");
      if (problem) row.after(h("tr.ui-list-note", {}, h("td", { colSpan: 6 }, `It cannot be restored: ${problem}`)));
    } catch {
      badge.textContent = "not read";
    }
  }
}

/** A name for a file here, after the one that it has. The server makes the same of it. */
function name_of(filename) {
  const stem = filename.replace(/\.json$/i, "").replace(/^auto-/, "");
  return stem.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 100) || "uploaded";
}

class Upload {
  constructor(form) {
    this.form = form;
    this.refused = form.querySelector(".cp-refused");
    form.addEventListener("change", (event) => this.changed(event), true);
    form.onsubmit = (event) => {
      event.preventDefault();
      this.send();
    };
    form.ondragover = (event) => {
      if (![...event.dataTransfer.items].some((one) => one.kind === "file")) return;
      event.preventDefault();
      form.classList.add("cp-over");
    };
    form.ondragleave = () => form.classList.remove("cp-over");
    form.ondrop = (event) => this.drop(event);
  }

  /** A file was chosen. The admin theme listens too, for a field of its own that is not there. */
  changed(event) {
    if (event.target !== this.form.elements.file) return;
    event.stopPropagation();
    this.choose();
  }

  drop(event) {
    this.form.classList.remove("cp-over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    this.form.elements.file.files = event.dataTransfer.files;
    this.choose();
  }

  get file() {
    return this.form.elements.file.files[0];
  }

  choose() {
    this.refused.hidden = true;
    if (!this.file) return;
    this.form.elements.name.value = name_of(this.file.name);
    this.fits();
  }

  fits() {
    const limit = Number(this.form.dataset.limit);
    const most = limit * 1024 * 1024 - 4096; // the form around the file counts too
    if (this.file.size <= most) return true;
    const needed = Math.ceil((this.file.size + 4096) / 1024 / 1024);
    this.refuse(
      `${this.file.name} has ${this.file.size.toLocaleString("en")} bytes; ${limit} MB can be sent. Put it into the` +
        ` folder checkpoints/ yourself, or start Nola with NOLA_MAX_BODY_MB=${needed}.`,
    );
    return false;
  }

  async send(as_it_stands = false) {
    this.refused.hidden = true;
    if (!this.file) return this.refuse("Choose a file first.");
    if (!this.fits()) return;
    const body = new FormData(this.form);
    if (as_it_stands) body.set("as_it_stands", "yes");
    this.form.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(this.form.action, { method: "POST", body, headers: { Accept: "application/json" } });
      const answer = await response.json();
      if (response.ok) location.assign(answer.href);
      else this.refuse(answer.detail, answer.edited);
    } catch {
      this.refuse("The server did not take the file. Try again; if you are signed out, sign in first.");
    } finally {
      this.form.removeAttribute("aria-busy");
    }
  }

  refuse(text, is_edited = false) {
    this.refused.replaceChildren(h("p", {}, text));
    if (is_edited) this.refused.append(...this.offer());
    this.refused.hidden = false;
  }

  offer() {
    const warning =
      "If you edited it yourself, it can count as it stands: its check sum is made anew, and whatever is in it counts" +
      " as right from then on. If you did not, fetch the file again from where it comes.";
    const button = h("button.ui-button.ui-primary.ui-danger", { type: "button" }, "I edited it: take it as it stands");
    button.onclick = () => this.send(true);
    return [h("p", {}, warning), button];
  }
}

const form = document.getElementById("cp-upload");
if (form) new Upload(form);
const waiting = [...document.querySelectorAll("[data-verdict]")];
const hidden = waiting.filter((row) => row.closest("details"));
judge(waiting.filter((row) => !hidden.includes(row)));
document.querySelector(".cp-older")?.addEventListener("toggle", () => judge(hidden), { once: true });
