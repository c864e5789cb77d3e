// Charts of the curves, one panel a metric: drawing, zoom, reading values off, controls.

function drawPanel(metric) {
  const panel = panels.get(metric);
  panel.plot?.destroy();
  panel.plot = null;
  const { xs, drawn } = lines(metric), log = logY(metric, drawn);
  panel.drawn = drawn;
  panel.log.setAttribute("aria-pressed", String(log));
  const { data, series, bands } = columns(xs, drawn, log);
  const empty = !drawn.length || !extent(drawn.map((line) => line.ys), (y) => !log || y > 0);
  panel.body.classList.toggle("empty", empty);
  panel.body.setAttribute("aria-label", describe(metric, drawn, log));
  if (empty) { fill(panel.body, emptiness(metric)); return; }
  const host = el("div"), tip = el("div", { class: "tip", hidden: true });
  fill(panel.body, host, tip);
  panel.tip = tip;
  panel.plot = new uPlot(options(panel, { series, bands, log }), data, host);
  clickable(panel);
}

// A click on a line opens its group; the end of a drag is no click.
function clickable(panel) {
  const { over } = panel.plot;
  let from = 0;
  over.addEventListener("mousedown", (event) => { from = event.clientX; });
  over.addEventListener("click", (event) => {
    if (panel.near && Math.abs(event.clientX - from) < 4) expand(panel.near.group);
  });
}

function emptiness(metric) {
  if (!shown().length) return "No group is switched on.";
  return logY(metric, []) ? "No positive value to draw on a logarithmic axis." : "The groups drawn have not logged this.";
}

function describe(metric, drawn, log) {
  const means = drawn.map((line) => {
    const last = line.ys.findLast((y) => !Number.isNaN(y));
    return `${lineLabel(line)} ends at ${number(last)}`;
  });
  const most = means.slice(0, 8).join("; ") + (means.length > 8 ? ` and ${means.length - 8} more` : "");
  return `${metric}${log ? ", logarithmic" : ""}: ${most || "no curve"}. Arrow keys read values.`;
}

function options(panel, { series, bands, log }) {
  const time = chosen.get("x") === "time";
  return {
    width: chartWidth(panel.body), height: panel.wide ? 380 : 250, series, bands,
    padding: [8, 28, 0, 0], legend: { show: false },
    scales: { x: scale(flag("lx"), { time: false }), y: scale(log) },
    axes: [xAxis(flag("lx"), time ? "seconds since the run began" : "step"), yAxis(log)],
    cursor: { y: false, focus: { prox: -1 }, points: { show: false }, drag: { x: true, y: false, dist: 4 },
      sync: { key: "curves", scales: ["x", null] } },
    hooks: {
      setCursor: [(u) => readout(panel, u)],
      setScale: [(u, key) => key === "x" && markZoomed(panel, u)],
    },
  };
}

function markZoomed(panel, u) {
  const xs = u.data[0];
  panel.reset.hidden = u.scales.x.min <= xs[0] && u.scales.x.max >= xs[xs.length - 1];
}

// The curve nearest to the pointer, its value there, and the others stepping back.
function readout(panel, u) {
  const { left, top, idx } = u.cursor, here = u.over.matches(":hover") || panel.body === document.activeElement;
  if (!here || idx === null || idx === undefined || left < 0) { calm(panel, u); return; }
  let best = null;
  for (const line of panel.drawn) {
    const at = nearestValue(u.data[line.place], idx);
    if (at === null) continue;
    const y = u.valToPos(u.data[line.place][at], "y"), away = Math.abs(y - top) + Math.abs(at - idx);
    if (!best || away < best.away) best = { line, at, y, away };
  }
  if (!best) { calm(panel, u); return; }
  if (best.away > 60 && panel.body !== document.activeElement) { calm(panel, u); return; }
  emphasise(panel, u, best.line);
  tipAt(panel, u, best);
}

// On a grid that several runs share, a run has no value at others' steps: look a little around.
function nearestValue(values, idx) {
  for (let away = 0; away < 12; away++) {
    for (const at of [idx - away, idx + away]) {
      if (values[at] !== null && values[at] !== undefined) return at;
    }
  }
  return null;
}

function tipAt(panel, u, { line, at, y }) {
  const x = u.data[0][at], value = u.data[line.place][at];
  const band = line.banded ? interval(u.data[line.place - 2][at], u.data[line.place - 1][at]) : "";
  const where = chosen.get("x") === "time" ? `${number(Number(x.toPrecision(4)))} s` : `step ${number(Math.round(x))}`;
  fill(panel.tip,
    el("div", { class: "who" }, swatch(line.group), lineLabel(line)),
    el("div", {}, el("b", {}, number(value)), band ? ` ${band}` : "", el("span", { class: "quiet" }, `  at ${where}`)),
    el("div", { class: "quiet" }, line.about));
  panel.tip.hidden = false;
  placeTip(panel.tip, u, u.valToPos(x, "x"), y);
  if (panel.body === document.activeElement) say(`${lineLabel(line)}: ${number(value)} ${band} at ${where}`);
}

function emphasise(panel, u, line) {
  u.over.style.cursor = "pointer";
  if (panel.near === line) return;
  panel.near = line;
  for (const other of panel.drawn) u.series[other.place].alpha = other.group === line.group ? 1 : 0.25;
  u.redraw(false, false);
}

function calm(panel, u) {
  panel.tip.hidden = true;
  u.over.style.cursor = "";
  if (!panel.near) return;
  panel.near = null;
  for (const line of panel.drawn) u.series[line.place].alpha = line.alpha;
  u.redraw(false, false);
}

function expand(group) {
  toggleOpen(group);
  say(`${groupLabel(group)}: ${opened().has(group) ? "single runs shown" : "single runs hidden"}`);
  render();
}

// ---- panels and their controls

function panel(metric, wide) {
  const reset = el("button", { type: "button", hidden: true, onclick: () => zoom(panels.get(metric).plot, null) }, "Show all");
  const log = button("log y", false, () => {
    setLogY(metric, log.getAttribute("aria-pressed") !== "true");
    drawPanel(metric);
  }, { "aria-label": `logarithmic y axis for ${metric}` });
  const close = el("button", { type: "button", class: "plain", "aria-label": `remove ${metric}`, title: "remove",
    onclick: () => { choose("m", without(metric)); renderCurves(); } }, "×");
  const body = el("div", { class: "plot", role: "application", "aria-roledescription": "chart", tabindex: "0",
    onkeydown: (event) => panels.get(metric).plot && keys(event, panels.get(metric).plot),
    onblur: () => panels.get(metric)?.plot?.setCursor({ left: -10, top: -10 }) });
  const node = el("article", { class: "panel" },
    el("div", { class: "panel-head" }, el("h3", { title: metric }, metric), reset, log, close), body);
  panels.set(metric, { node, body, log, reset, wide, plot: null, near: null, drawn: [] });
  return node;
}

// An empty list must be told from none given, or the default would come back.
function without(metric) {
  const rest = metricsDrawn().filter((name) => name !== metric);
  return rest.length ? rest : [""];
}

function renderCurves() {
  const metrics = metricsDrawn(), wide = metrics.length === 1;
  panels.forEach((one) => one.plot?.destroy());
  panels.clear();
  curveControls(metrics);
  const none = experiment().curves.length ? "No metric chosen." : "No curves have been logged.";
  fill("panels", metrics.length ? metrics.map((metric) => panel(metric, wide)) : el("p", { class: "quiet" }, none));
  document.getElementById("panels").classList.toggle("one", wide);
  metrics.forEach(drawPanel);
  document.getElementById("curve-note").textContent = metrics.length ? curveNote() : "";
}

function curveControls(metrics) {
  const redraw = (key) => (value) => { choose(key, value); keepingFocus(renderCurves); };
  const others = experiment().curves.map((one) => one.name).filter((name) => !metrics.includes(name));
  const add = !others.length ? null : choice("Add", [["", `metric (${others.length} more)…`],
    ...others.map((name) => [name, name])], "", (name) => { if (name) { choose("m", [...metrics, name]); renderCurves(); } },
  { "data-focus": "add" });
  const time = chosen.get("x") === "time", every = chosen.get("r") === "1", factor = chosen.get("s") ?? "0";
  const shownFactor = el("output", {}, Number(factor) ? factor : "off");
  const smooth = el("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: factor, "data-focus": "smooth",
    oninput: () => { choose("s", smooth.value === "0" ? null : smooth.value);
      shownFactor.textContent = Number(smooth.value) ? smooth.value : "off"; metricsDrawn().forEach(drawPanel); } });
  if (!experiment().curves.length) { fill("curve-controls", []); return; }
  fill("curve-controls", add,
    el("div", { class: "segments", role: "group", "aria-label": "lines" },
      button("means", !every, () => redraw("r")(null), { "data-focus": "means" }),
      button("runs", every, () => redraw("r")("1"), { "data-focus": "runs" })),
    el("div", { class: "segments", role: "group", "aria-label": "x axis" },
      button("step", !time, () => redraw("x")(null), { "data-focus": "step" }),
      button("time", time, () => redraw("x")("time"), { "data-focus": "time" })),
    button("log x", flag("lx"), () => redraw("lx")(!flag("lx")), { "data-focus": "lx" }),
    el("label", { class: "choice" }, el("span", {}, "Smooth"), smooth, shownFactor));
}

function curveNote() {
  const { points, thinned, extremes } = page.drawn;
  const means = "A line is the mean over the complete runs of a group, its band a 95% interval of that mean "
    + "(Student’s t, three runs or more, of log(mean) on a log axis; for one run, over its repeats). Runs that have not finished or failed are dashed and in no mean. ";
  const thin = thinned ? `Rows are averaged into at most ${points} points a curve${extremes ? "" : "; their extremes are left out on a page of so many runs"}. ` : "";
  return `${means}${thin}Click a line for its single runs; drag to zoom, double-click to go back.`;
}
