// Light or dark as on the other pages, whose theme keeps what was chosen; it is known before anything is drawn.

const kept = localStorage.getItem("_x_adminTheme");
const isDark = kept === '"dark"' || (kept !== '"light"' && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.classList.toggle("dark", isDark);
