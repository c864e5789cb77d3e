// Put together: what is drawn again after which choice, theme, paper, and the page of a sweep
// that is still running.

// After a choice of groups or runs.
function render() {
  renderFilter();
  renderChips();
  renderGroupsTable();
  renderCurves();
  renderTable();
  renderScatter();
  renderClaims();
  renderFigures();
  renderOrigin();
}

// After a choice of experiment.
function renderAll() {
  allRows = false;
  renderExperiments();
  renderOverview();
  render();
}

function filtering() {
  const input = document.getElementById("filter");
  let waiting = 0;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { choose("f", input.value.trim() || null); render(); }, 150);
  });
}

// ---- light and dark

const THEMES = { auto: "light dark", light: "light", dark: "dark" };

function applyTheme() {
  const theme = chosen.get("th") ?? "auto";
  document.documentElement.style.colorScheme = printing ? "light" : THEMES[theme];
  fill("theme", `Theme: ${theme}`);
}

function theming() {
  document.getElementById("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES), next = names[(names.indexOf(chosen.get("th") ?? "auto") + 1) % names.length];
    choose("th", next === "auto" ? null : next);
    applyTheme();
    redrawCharts();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
}

// Canvases know neither a new width nor new colours by themselves.
function redrawCharts() {
  metricsDrawn().forEach(drawPanel);
  renderScatter();
}

function resizing() {
  let waiting = 0, width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(redrawCharts, 120);
  });
}

function printingIn() {
  const set = (on) => () => { printing = on; applyTheme(); redrawCharts(); };
  addEventListener("beforeprint", set(true));
  addEventListener("afterprint", set(false));
}

// Sections jumped to must not end up under the bar, whose height depends on the groups in it.
function measuringBar() {
  const bar = document.getElementById("bar");
  new ResizeObserver(() => document.documentElement.style.setProperty("--bar", `${bar.offsetHeight}px`)).observe(bar);
}

// ---- a sweep that is still running: `feedrun compare --watch` writes the page anew

function living() {
  const written = new Date(page.written);
  document.getElementById("written").textContent = `written ${written.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (!page.live) return;
  const auto = el("input", { type: "checkbox", checked: flag("auto"), onchange: () => choose("auto", auto.checked) });
  fill("live", el("button", { type: "button", onclick: () => location.reload() }, "Reload"),
    el("label", { class: "choice" }, auto, el("span", {}, `every ${number(page.live)} s`)));
  setInterval(() => { if (auto.checked && atRest()) location.reload(); }, page.live * 1000);
}

// Never under somebody's hands.
let touched = 0;
function atRest() {
  return !document.hidden && Date.now() - touched > 3000 && !document.getElementById("enlarged").open;
}

function minding() {
  for (const name of ["pointerdown", "keydown", "wheel"]) addEventListener(name, () => { touched = Date.now(); }, { passive: true });
}

// The address holds what was chosen, so sections are jumped to without it.
function jumping() {
  document.querySelectorAll("nav a, a.skip").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    const section = document.querySelector(link.getAttribute("href"));
    section.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    section.setAttribute("tabindex", "-1");
    section.focus({ preventScroll: true });
  }));
}

async function start() {
  const [content, planes] = await Promise.all([unpacked("data"), unpacked("curves")]);
  page = JSON.parse(new TextDecoder().decode(content));
  numbers = floats(planes);
  applyTheme();
  living();
  if (!page.experiments.length) { nothing(); return; }
  renderAll();
  [filtering, theming, resizing, printingIn, measuringBar, minding, jumping].forEach((setUp) => setUp());
  document.documentElement.dataset.ready = "";
}

function nothing() {
  document.getElementById("title").textContent = "No records";
  fill("faults", el("div", { class: "notice" }, el("ul", {}, page.faults.map((fault) => el("li", {}, fault)))));
  document.querySelectorAll("main > section:not(#overview), .bar").forEach((node) => node.remove());
  theming();
  document.documentElement.dataset.ready = "";
}

start();
