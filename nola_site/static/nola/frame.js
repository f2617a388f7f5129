// What only a pointer could press in the frame of the theme is a button, also for a keyboard and for a screen reader.

const NAMES = { account_tree: "Overview", arrow_back: "Back", close: "Close the sidebar", dock_to_right: "Sidebar" };
const PRESSED = ".cursor-pointer[x-on\\:click], .cursor-pointer > [x-on\\:click], a:not([href])[x-on\\:click]";
const ACCOUNT = "openUserLinks";

function makeButton(element) {
  element.setAttribute("role", "button");
  element.tabIndex = 0;
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    element.click();
  });
}

/** The name of an icon is not read as a word: where it stands alone, its button or link says what it is for. */
function tellIcon(icon) {
  const word = icon.textContent.trim();
  const control = icon.closest("a, button, [role=button]");
  if (control !== icon) icon.setAttribute("aria-hidden", "true");
  if (control?.textContent.trim() === word && !control.title && !control.ariaLabel)
    control.setAttribute("aria-label", NAMES[word] ?? word.replaceAll("_", " "));
}

/** The menu of who is signed in: opens to its first entry, and Escape closes it. */
function lead(menu, opener) {
  opener.setAttribute("aria-label", `Account: ${opener.querySelector(".truncate").textContent.trim()}`);
  opener.setAttribute("x-bind:aria-expanded", ACCOUNT);
  opener.addEventListener("keydown", ({ key }) => {
    if (key === "Enter" || key === " ") requestAnimationFrame(() => menu.querySelector("a, button")?.focus());
  });
  menu.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    opener.click();
    opener.focus();
  });
}

for (const element of document.querySelectorAll(PRESSED)) makeButton(element);
const account = document.querySelector(`[role=button][x-on\\:click*=${ACCOUNT}]`);
if (account) lead(account.parentElement.querySelector("nav"), account);
for (const icon of document.querySelectorAll("#page .material-symbols-outlined:not([aria-hidden])")) tellIcon(icon);
document.querySelector("#nav-sidebar [data-simplebar]")?.setAttribute("data-simplebar-aria-label", "Pages");
document.querySelector("#content")?.setAttribute("tabindex", "-1");
