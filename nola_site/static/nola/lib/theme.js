// The reader's theme on a page that is not one of the admin: as chosen there, else as the system has it. Runs before
// anything is drawn, so it is no module.

(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function choose() {
    let chosen = "auto";
    try {
      chosen = JSON.parse(localStorage.getItem("adminTheme")) ?? "auto"; // as the admin keeps it
    } catch {
      // no storage here, or not what it was: as the system has it
    }
    document.documentElement.classList.toggle("dark", chosen === "dark" || (chosen === "auto" && system.matches));
  }

  choose();
  system.addEventListener("change", choose);
  addEventListener("storage", choose); // it was chosen in another tab
})();
