// Follows the system until somebody chooses; the choice is kept where the browser lets it.
(() => {
  const themes = ["system", "light", "dark"];
  const button = document.getElementById("theme");
  const kept = (change) => { try { return change(localStorage); } catch { return null; } };
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `theme: ${theme}`;
  };
  const stored = kept((storage) => storage.getItem("theme"));
  show(themes.includes(stored) ? stored : "system");
  button.addEventListener("click", () => {
    const now = themes.indexOf(document.documentElement.dataset.theme);
    show(themes[(now + 1) % themes.length]);
    kept((storage) => storage.setItem("theme", document.documentElement.dataset.theme));
  });
})();
