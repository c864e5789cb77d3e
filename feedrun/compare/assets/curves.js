// Curves: a panel a metric, a line a group (its mean over seeds) with a band, or a line a run.

const GRID = 400; // points on a time axis, which runs do not share until they are read off on it
const panels = new Map(); // metric -> { node, plot }

const part = (place) => (place ? numbers.subarray(place[0], place[0] + place[1]) : null);

function curveOf(metric) {
  return experiment().curves.find((one) => one.name === metric);
}

// The metrics drawn: chosen ones, or the first that have curves.
function metricsDrawn() {
  const there = new Set(experiment().curves.map((one) => one.name));
  const named = chosen.getAll("m").filter((name) => there.has(name));
  return chosen.has("m") ? named : [...there].slice(0, 4);
}

// Each shown run of a metric as arrays on one x axis.
function arrays(metric) {
  const curve = curveOf(metric), groups = new Set(shown()), { runs } = experiment();
  const found = curve.runs.filter(([run]) => groups.has(runs[run].group)).map(([run, mean, time, low, high, half]) =>
    ({ run, ys: part(mean), times: part(time), low: part(low), high: part(high), half: part(half) }));
  if (chosen.get("x") !== "time") {
    const xs = part(curve.steps);
    found.forEach((one) => { one.ys = bridged(xs, one.ys); });
    return { xs, found };
  }
  const ends = extent(found.map((one) => one.times), (time) => !flag("lx") || time > 0);
  const xs = ends ? spacedPoints(ends[0], Math.max(ends[1], ends[0] + 1e-3), GRID, flag("lx")) : new Float64Array();
  for (const one of found) {
    for (const name of ["ys", "low", "high", "half"]) {
      if (one[name]) one[name] = resampled(one.times, one[name], xs);
    }
  }
  return { xs, found };
}

// What is drawn, back to front: { group, run, ys, low, high, about, width, alpha, dash }.
function lines(metric) {
  const { xs, found } = arrays(metric), { runs } = experiment();
  const passing = new Set(matching()), open = opened(), every = chosen.get("r") === "1";
  const drawn = [];
  for (const group of shown()) {
    const own = found.filter((one) => runs[one.run].group === group);
    const complete = own.filter((one) => runs[one.run].state === "complete");
    const apart = every || open.has(group);
    const singles = own.filter((one) => (apart || runs[one.run].state !== "complete") && passing.has(runs[one.run]));
    drawn.push(...singles.map((one) => single(one, group, apart && every)));
    if (complete.length && !every) drawn.push(average(complete, group));
  }
  const factor = Number(chosen.get("s") ?? 0);
  for (const line of drawn) {
    for (const name of ["ys", "half", "low", "high"]) line[name] = smoothed(line[name], factor);
  }
  return { xs, drawn };
}

function single(one, group, alone) {
  const run = experiment().runs[one.run], complete = run.state === "complete";
  const line = { group, run: one.run, ys: one.ys, width: alone ? 1.5 : 1, alpha: alone ? 0.9 : 0.55 };
  if (!complete) return { ...line, dash: [4, 4], width: 1.5, alpha: 1, about: `${run.state}, not in the mean` };
  return { ...line, ...(alone ? own(one) : { about: "" }) };
}

function average(complete, group) {
  if (complete.length === 1) return { group, run: null, ys: complete[0].ys, width: 2, alpha: 1, ...own(complete[0]) };
  const { mean, half, n } = pooled(complete.map((one) => one.ys), page.t);
  const about = `mean of ${plural(n, "run")}${half ? ", 95% interval" : ""}`;
  return { group, run: null, ys: mean, half, width: 2, alpha: 1, about };
}

// The band of a single run: over its repeats, or else the extremes of the rows averaged in a point.
function own(one) {
  if (one.half) return { half: one.half, about: "95% interval over its repeats" };
  if (one.low) return { low: one.low, high: one.high, faint: true, about: "extremes of the rows in a point" };
  return { about: "one run" };
}

// Edges of the band. On a log axis that of log(mean), by the delta method: mean * exp(±half/mean)
// lies symmetric there and is never negative, as mean ± half would be.
function edges(line, log) {
  if (line.low) return [line.low, line.high];
  if (!line.half) return null;
  const edge = (sign) => line.ys.map((y, i) => (log ? y * Math.exp(sign * line.half[i] / Math.abs(y)) : y + sign * line.half[i]));
  return [edge(-1), edge(1)];
}

function lineLabel(line) {
  const label = groupLabel(line.group);
  return line.run === null ? label : `${label}, seed ${experiment().runs[line.run].seed}`;
}

// Logarithmic unless told otherwise, where positive values span three decades.
function logY(metric, drawn) {
  if (chosen.getAll("ly").includes(metric)) return true;
  if (chosen.getAll("ny").includes(metric)) return false;
  const ends = extent(drawn.map((line) => line.ys));
  return Boolean(ends && ends[0] > 0 && ends[1] / ends[0] > 1000);
}

function setLogY(metric, on) {
  const without = (key) => chosen.getAll(key).filter((name) => name !== metric);
  choose("ly", on ? [...without("ly"), metric] : without("ly"));
  choose("ny", on ? without("ny") : [...without("ny"), metric]);
}

// uPlot's columns: x, then for each line its band's edges (if any) and itself.
function columns(xs, drawn, log) {
  const [from, to] = span(xs, drawn);
  const cell = (y) => (!Number.isFinite(y) || (log && y <= 0) ? null : y);
  const cut = (ys, kept) => Array.from(ys.subarray(from, to), kept);
  const data = [cut(xs, Number)], series = [{}], bands = [];
  for (const line of drawn) {
    const { colour, dash } = look(line.group);
    const band = edges(line, log);
    line.banded = Boolean(band);
    if (band) {
      bands.push({ series: [data.length + 1, data.length], fill: translucent(colour, line.faint ? 0.09 : 0.17) });
      for (const ys of band) {
        data.push(cut(ys, cell));
        series.push({ width: 0, points: { show: false }, spanGaps: true });
      }
    }
    line.place = data.length;
    data.push(cut(line.ys, cell));
    series.push({
      reads: true, label: lineLabel(line), stroke: resolved(colour), width: line.width, alpha: line.alpha,
      dash: line.dash ?? dash, spanGaps: true, points: { show: lonely(line.ys), size: 5 },
    });
  }
  return { data, series, bands };
}

// Where the axis begins and ends: other groups may have been logged further than those drawn.
function span(xs, drawn) {
  const there = (i) => (!flag("lx") || xs[i] > 0) && drawn.some((line) => !Number.isNaN(line.ys[i]));
  let from = 0, to = xs.length;
  while (from < to && !there(from)) from++;
  while (to > from && !there(to - 1)) to--;
  return [from, to];
}

// A curve of few points shows them.
function lonely(ys) {
  let count = 0;
  for (const y of ys) if (!Number.isNaN(y) && ++count > 24) return false;
  return true;
}
