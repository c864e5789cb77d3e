// A metric of the summary against a config value: a point a run, and the mean of each group.

let scatterPlot = null;

// Config values to choose from: those that differ first, then the seed.
function scatterKeys() {
  return [...experiment().keys, "seed"];
}

function scatterChoice() {
  const keysThere = scatterKeys(), { metrics } = experiment();
  const x = keysThere.includes(chosen.get("sx")) ? chosen.get("sx") : mostVaried(keysThere);
  const y = metrics.includes(chosen.get("sy")) ? chosen.get("sy") : metrics[0];
  return { x, y, metric: metrics.indexOf(y) };
}

// The numeric setting with the most values says most; else the first of all.
function mostVaried(keysThere) {
  const varied = (key) => {
    const values = experiment().runs.map((run) => fields(run)[key]).filter((value) => value !== null && value !== undefined);
    return key !== "seed" && values.every((value) => typeof value === "number") ? new Set(values).size : 0;
  };
  return keysThere.toSorted((a, b) => varied(b) - varied(a))[0];
}

// Numbers lie where they are; anything else gets a place of its own, in order of appearance.
function placesOf(x, runs) {
  const values = runs.map((run) => fields(run)[x]);
  if (values.every((value) => typeof value === "number")) return { at: (value) => value, names: null };
  const names = [...new Set(values.map(word))];
  return { at: (value) => names.indexOf(word(value)), names };
}

function scatterPoints() {
  const { x, metric } = scatterChoice(), groups = new Set(groupsMatching());
  const runs = matching().filter((run) => groups.has(run.group) && run.state === "complete" && run.summary[metric] !== null);
  const { at, names } = placesOf(x, runs);
  const points = runs.map((run) => ({ run, x: at(fields(run)[x]), y: run.summary[metric] }))
    .sort((a, b) => a.x - b.x);
  return { points, names };
}

function renderScatter() {
  scatterPlot?.destroy();
  scatterPlot = null;
  scatterControls();
  const { points, names } = scatterPoints(), { x, y } = scatterChoice();
  const logs = { x: flag("lsx") && !names, y: scatterLogY() };
  const kept = points.filter((p) => (!logs.x || p.x > 0) && (!logs.y || p.y > 0));
  document.getElementById("scatter-note").textContent = points.length ? scatterNote(points.length - kept.length) : "";
  if (!kept.length) { fill("scatter-plot", el("p", { class: "quiet" }, "No complete run has such a value.")); return; }
  const host = el("div"), tip = el("div", { class: "tip", hidden: true });
  const node = fill("scatter-plot", el("div", { class: "plot", role: "application", "aria-roledescription": "chart", tabindex: "0",
    "aria-label": `${y} against ${x}, ${plural(kept.length, "run")}; the same numbers are in the table of runs` }, host, tip));
  scatterPlot = new uPlot(scatterOptions(node, tip, kept, names, logs), scatterData(kept), host);
}

// One column of y values: uPlot draws axes, scales and zoom; the points are drawn by `paint`.
function scatterData(points) {
  return [points.map((p) => p.x), points.map((p) => p.y)];
}

function scatterOptions(node, tip, points, names, logs) {
  const { x, y } = scatterChoice();
  return {
    width: chartWidth(node), height: 320, padding: [10, 28, 0, 0], legend: { show: false },
    scales: { x: scale(logs.x, { time: false, range: (u, low, high) => roomAround(low, high, logs.x, names) }), y: scale(logs.y, logs.y ? {} : { range: (u, low, high) => withWhiskers(low, high, points) }) },
    series: [{}, { paths: () => null, points: { show: false } }],
    axes: [xAxis(logs.x, x, names ? { splits: () => names.map((_, i) => i), values: () => names } : {}), yAxis(logs.y, y)],
    cursor: { x: false, y: false, points: { show: false }, drag: { x: true, y: false, dist: 4 } },
    hooks: {
      draw: [(u) => paint(u, points)],
      setCursor: [(u) => scatterTip(u, tip, points)],
    },
  };
}

// Points at the edge of the chart would be cut in half.
function roomAround(low, high, log, names) {
  if (names) return [-0.5, names.length - 0.5];
  if (log) return [low / 1.3, high * 1.3];
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

// Intervals reach beyond the points; uPlot knows only these.
function withWhiskers(low, high, points) {
  const { metric } = scatterChoice(), cells = [...new Set(points.map((p) => p.run.group))].map((g) => experiment().groups[g].cells[metric]);
  const ends = cells.filter((cell) => cell && cell[1] !== null).flatMap((cell) => [cell[1], cell[2]]);
  return roomAround(Math.min(low, ...ends), Math.max(high, ...ends), false, null);
}

function paint(u, points) {
  const { ctx } = u, scaleBy = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  for (const point of points) {
    const { colour, place } = look(point.run.group);
    ctx.globalAlpha = place < 0 ? 0.6 : 0.75;
    ctx.fillStyle = resolved(colour);
    ctx.beginPath();
    ctx.arc(u.valToPos(point.x, "x", true), u.valToPos(point.y, "y", true), 3.5 * scaleBy, 0, 7);
    ctx.fill();
  }
  for (const group of new Set(points.map((p) => p.run.group))) whisker(u, ctx, group, points, scaleBy);
  ctx.restore();
}

// Mean of a group with its interval, a little to the right of its points.
function whisker(u, ctx, group, points, scaleBy) {
  const cell = experiment().groups[group].cells[scatterChoice().metric];
  const own = points.filter((p) => p.run.group === group);
  if (!cell || own.some((p) => p.x !== own[0].x)) return;
  const [value, low, high] = cell, y = (v) => u.valToPos(v, "y", true);
  const x = u.valToPos(own[0].x, "x", true) + 9 * scaleBy, arm = 4 * scaleBy;
  ctx.globalAlpha = 1;
  ctx.strokeStyle = resolved(look(group).colour);
  ctx.lineWidth = 2 * scaleBy;
  ctx.beginPath();
  const floor = u.scales.y.distr === 3 ? u.scales.y.min : -Infinity; // an interval may reach below zero
  if (low !== null && high > floor) { ctx.moveTo(x, y(Math.max(low, floor))); ctx.lineTo(x, y(high)); }
  if (value > floor) { ctx.moveTo(x - arm, y(value)); ctx.lineTo(x + arm, y(value)); }
  ctx.stroke();
}

function scatterTip(u, tip, points) {
  const { left, top } = u.cursor;
  let best = null;
  for (const point of points) {
    const dx = u.valToPos(point.x, "x") - left, dy = u.valToPos(point.y, "y") - top;
    if (!best || dx * dx + dy * dy < best.away) best = { point, away: dx * dx + dy * dy };
  }
  tip.hidden = !best || left < 0 || best.away > 900;
  if (tip.hidden) return;
  const { run, y } = best.point, cell = experiment().groups[run.group].cells[scatterChoice().metric];
  fill(tip, el("div", { class: "who" }, swatch(run.group), `${groupLabel(run.group)}, seed ${run.seed}`),
    el("div", {}, el("b", {}, number(y)), el("span", { class: "quiet" }, cell ? `  group ${number(cell[0])} ${interval(cell[1], cell[2])}` : "")));
  placeTip(tip, u, u.valToPos(best.point.x, "x"), u.valToPos(y, "y"));
}

// As the curves: logarithmic unless told otherwise, where positive values span three decades.
function scatterLogY() {
  if (chosen.has("lsy")) return flag("lsy");
  const ends = extent([scatterPoints().points.map((point) => point.y)]);
  return Boolean(ends && ends[0] > 0 && ends[1] / ends[0] > 1000);
}

function scatterControls() {
  const { x, y } = scatterChoice(), { metrics } = experiment();
  const set = (key) => (value) => { choose(key, value); keepingFocus(renderScatter); };
  if (!metrics.length) { fill("scatter-controls", []); return; }
  fill("scatter-controls",
    choice("y", metrics.map((name) => [name, name]), y, set("sy"), { "data-focus": "sy" }),
    choice("x", scatterKeys().map((name) => [name, name]), x, set("sx"), { "data-focus": "sx" }),
    button("log y", scatterLogY(), () => set("lsy")(scatterLogY() ? "0" : "1"), { "data-focus": "lsy" }),
    button("log x", flag("lsx"), () => set("lsx")(!flag("lsx")), { "data-focus": "lsx" }));
}

function scatterNote(hidden) {
  const lost = hidden ? ` ${plural(hidden, "run")} with a value of zero or below cannot be drawn on a log axis.` : "";
  return `A dot is a complete run; the bar beside a group’s dots is its mean with a 95% interval.${lost}`;
}
