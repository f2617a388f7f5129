// Bringing chats: files go up, the page shows what would come of them, and imports them. All of it is kept on the server,
// so that a page that is loaded again goes on where it is.

import { call } from "../../nola/lib/api.js";
import { bytes, count, h, icon, sentence } from "../../nola/lib/dom.js";
import { undo } from "../../state/changes/undo.js";
import { outcome, preview } from "./told.js";
import { post, send } from "./send.js";

const EVERY = 500; // milliseconds between two looks at how far it is
const WORKING = ["waiting", "looking", "importing", "undoing"];
const FEW = 4; // revisions whose undo is looked at first; that of more takes a while

const data = JSON.parse(document.getElementById("imp-data").textContent);
const page = document.getElementById("imp");
const part = (name) => page.querySelector(`[data-part=${name}]`);
let here = data.upload && `${data.index}${data.upload}/`;

function refuse(text) {
  part("refused").replaceChildren(text);
  part("refused").hidden = !text;
}

function say(text) {
  if (part("said").textContent !== text) part("said").textContent = text;
}

/** Do it; what the server refuses is said. */
async function quietly(work) {
  refuse("");
  try {
    await work();
  } catch (error) {
    const isLost = error instanceof TypeError;
    refuse(isLost ? "The server does not answer. Try again in a moment." : `${sentence(error.message.replace(/\.$/, ""))}.`);
  }
}

// Choosing and sending

function choose(form) {
  const input = form.elements.files;
  const chosen = (event) => {
    event.stopPropagation(); // the admin theme listens too, for a field of its own that is not there
    take([...input.files]);
  };
  form.addEventListener("change", chosen, true);
  form.ondragover = (event) => {
    if (![...event.dataTransfer.items].some((one) => one.kind === "file")) return;
    event.preventDefault();
    form.classList.add("imp-over");
  };
  form.ondragleave = (event) => form.contains(event.relatedTarget) || form.classList.remove("imp-over");
  form.ondrop = (event) => {
    event.preventDefault();
    form.classList.remove("imp-over");
    const items = [...event.dataTransfer.items].filter((one) => one.kind === "file");
    if (items.some((one) => one.webkitGetAsEntry?.()?.isDirectory)) {
      return refuse("That is a folder. Drop the zip it came from, or the files in it.");
    }
    take([...event.dataTransfer.files]);
  };
}

function take(files) {
  if (!files.length) return;
  quietly(async () => {
    const total = files.reduce((sum, one) => sum + one.size, 0);
    const empty = files.find((one) => !one.size);
    if (empty) throw new Error(`there is nothing in ${empty.name}: it is empty`);
    if (files.length > data.most_files) throw new Error(`these are ${files.length} files; choose at most ${data.most_files} at once`);
    if (total > data.most_bytes)
      throw new Error(`these are ${bytes(total)}, and ${bytes(data.most_bytes)} can be brought at once; on the machine, manage.py importchats takes any size`);
    part("choose").hidden = true;
    if (part("begun")) part("begun").hidden = true;
    const names = files.length === 1 ? files[0].name : count(files.length, "file", "files");
    const bar = h("progress", { max: total, value: 0, "aria-label": "Upload" });
    const said = h("p.ui-soft", {}, `0 of ${bytes(total)}`);
    part("now").replaceChildren(h("div.imp-work.ui-card", {}, h("h2.ui-heading", {}, `Uploading ${names}`), bar, said));
    addEventListener("beforeunload", ask);
    try {
      here = await send(data.index, files, (gone) => {
        bar.value = gone;
        said.textContent = `${bytes(gone)} of ${bytes(total)}`;
      });
      history.replaceState(null, "", here);
      show(JSON.parse((await post(`${here}look`)).text));
    } catch (error) {
      part("now").replaceChildren();
      part("choose").hidden = false;
      part("choose").reset();
      throw error;
    } finally {
      removeEventListener("beforeunload", ask);
    }
  });
}

/** Somebody who leaves while files go up loses them. */
function ask(event) {
  event.preventDefault();
}

// Where it is

async function follow() {
  try {
    show(JSON.parse((await call("GET", `${here}state`)).text));
  } catch (error) {
    if (error.status === 404) return location.assign(data.index);
    setTimeout(follow, EVERY * 4);
  }
}

let working; // what is shown while something is being worked on

function show(state) {
  if (WORKING.includes(state.stage)) {
    show_work(state);
    return setTimeout(follow, EVERY);
  }
  working = undefined;
  const shown = { uploading: show_cut, ready: show_ready, done: show_done, stopped: show_stopped, failed: show_stopped };
  part("now").replaceChildren(...shown[state.stage](state));
  say(page.querySelector("[data-part=now] h2")?.textContent ?? "");
}

function show_work(state) {
  const names = state.files_sent.map((one) => one.name);
  const what = { looking: "Looking at", undoing: "Taking back" }[state.for] ?? "Importing";
  if (!working) {
    const bar = h("progress", { max: 1, "aria-label": what });
    const said = h("p.ui-soft");
    const stop = h("button.ui-button", { type: "button", hidden: what === "Taking back" }, "Stop"); // that is one step
    stop.onclick = () => {
      stop.disabled = true;
      quietly(() => post(`${here}stop`));
    };
    const head = h("h2.ui-heading", {}, `${what} ${names.length === 1 ? names[0] : count(names.length, "file", "files")}`);
    const why = what !== "Looking at" ? "You can close this page: it goes on, and the page shows it when you come back." : "Nothing is written yet.";
    part("now").replaceChildren(h("div.imp-work.ui-card", {}, head, bar, h("div.ui-apart", {}, said, stop), h("p.ui-faint", {}, why)));
    working = { bar, said };
    say(head.textContent);
  }
  if (["waiting", "undoing"].includes(state.stage)) working.bar.removeAttribute("value");
  else working.bar.value = state.part;
  const at = state.at && names.length > 1 ? ` of ${state.at}` : "";
  working.said.textContent = state.stage === "waiting" ? "Waiting for its turn …" : state.count ? `${count(state.count, "conversation", "conversations")} or lines${at} read` : "";
}

/** A page that was left while files went up. */
function* show_cut() {
  yield h("div.imp-work.ui-card", {}, h("h2.ui-heading", {}, "The files did not arrive"), h("p", {}, "The page was left while they went up. Choose them again."), row(put_away("Choose again")));
}

function* show_ready(state) {
  yield* preview(state, data, {
    bring: (asked) => quietly(async () => show(JSON.parse((await post(`${here}import`, asked)).text))),
    away: put_away("Leave it"),
  });
}

function* show_done(state) {
  yield* outcome(state, data);
  yield row(...links(state), take_back(state), put_away("Done"));
}

/** It has ended before its end: what came is whole, and the rest can follow or what came can go. */
function* show_stopped(state) {
  const was_looking = (state.was === "waiting" ? state.for : state.was) === "looking";
  const why = state.problem ? `${sentence(state.problem.replace(/\.$/, ""))}.` : "It was stopped, or the server was.";
  if ((state.was === "waiting" ? state.for : state.was) === "undoing") {
    yield h("div.ui-said.ui-care", {}, h("h2.ui-heading", {}, "It was not taken back"), h("p", {}, why));
    return yield row(...links(state), take_back(state), put_away("Put it away"));
  }
  const came = was_looking || !state.revisions ? "Nothing was written." : "What had come by then is here, whole; the rest is not.";
  const again = h("button.ui-button.ui-primary", { type: "button", hidden: !state.is_here }, was_looking ? "Look again" : "Go on");
  again.onclick = () =>
    quietly(async () => {
      const asked = { files: state.files_asked, replace: state.replace, state: state.with_state };
      show(JSON.parse((await post(`${here}${was_looking ? "look" : "import"}`, was_looking ? {} : asked)).text));
    });
  const head = h("h2.ui-heading", {}, was_looking ? "The look at it has ended early" : state.is_undone ? "Undone" : "The import has ended early");
  yield h("div.ui-said.ui-care", {}, head, h("p", {}, `${why} ${came}`));
  yield row(again, ...links(state), take_back(state), put_away("Put it away"));
}

const row = (...some) => h("div.imp-does.ui-row", {}, ...some);

function links(state) {
  if (!state.revisions || state.is_undone) return [];
  return [h("a.ui-button", { href: `${data.list}?import=${encodeURIComponent(state.batch)}` }, "Look at what came")];
}

function take_back(state) {
  if (!state.revisions || !data.may_undo || state.is_undone) return undefined;
  const button = h("button.ui-button", { type: "button" }, icon("undo"), "Undo this import");
  button.onclick = async () => {
    if (state.revisions > FEW) return quietly(async () => show(JSON.parse((await post(`${here}undo`)).text)));
    if (await undo({ batch: state.batch }, { title: "Undo this import" })) follow();
  };
  return button;
}

function put_away(text) {
  const button = h("button.ui-button", { type: "button" }, text);
  button.onclick = () => quietly(async () => location.assign(JSON.parse((await post(`${here}remove`)).text).href));
  return button;
}

if (part("choose")) choose(part("choose"));
if (data.state) show(data.state);
