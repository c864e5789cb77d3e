// What all charts share: axes in the page's colours, ticks, what the keyboard does.

const FONT = '12px Inter, system-ui, "Segoe UI", Roboto, sans-serif';

function axis(label, more = {}) {
  return {
    label, font: FONT, labelFont: FONT, labelSize: 18, labelGap: 2, gap: 6,
    stroke: resolved("var(--quiet)"),
    grid: { stroke: resolved("var(--grid)"), width: 1 },
    ticks: { stroke: resolved("var(--grid)"), width: 1, size: 4 },
    values: (u, ticks) => ticks.map((tick) => (tick === null ? "" : number(clean(tick)))),
    ...more,
  };
}

// 0.30000000000000004 is a tick at 0.3.
function clean(tick) {
  return Number(tick.toPrecision(12));
}

// As wide as its longest number.
function yAxis(log, label = null) {
  const size = (u, values) => 18 + 7 * Math.max(2, ...(values ?? []).map((text) => text.length));
  return axis(label, { size, space: 36, ...logTicks(log, 22) });
}

function xAxis(log, label, more = {}) {
  return axis(label, { size: 34, space: 64, ...logTicks(log, 52), ...more });
}

// Ticks of a log axis: 1, 2, 5 in each decade where `room` allows, else decades, else some of them.
function logTicks(log, room) {
  if (!log) return {};
  const splits = (u, index, min, max) => {
    const [low, high] = [Math.log10(min), Math.log10(max)];
    const long = (index === 0 ? u.bbox.width : u.bbox.height) / devicePixelRatio, decade = long / (high - low);
    const every = Math.ceil(room / decade), digits = decade > 3.4 * room ? [1, 2, 5] : [1];
    const powers = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i);
    return powers.filter((power) => power % every === 0).flatMap((power) => digits.map((digit) => digit * 10 ** power))
      .filter((tick) => tick >= min * 0.999 && tick <= max * 1.001);
  };
  return { splits, filter: (u, ticks) => ticks };
}

function scale(log, more = {}) {
  return log ? { distr: 3, log: 10, ...more } : { ...more };
}

// Space a chart has. On paper a page is as wide as A4, whatever the window was.
function chartWidth(node) {
  return printing ? 660 : Math.max(240, node.clientWidth);
}

let printing = false;

// Arrows move the reading along the curves, + and - zoom, 0 shows all again.
function keys(event, plot) {
  const last = plot.data[0].length - 1, here = plot.cursor.idx ?? -1;
  const to = { ArrowRight: here + 1, ArrowLeft: here < 0 ? last : here - 1, Home: 0, End: last }[event.key];
  if (to !== undefined) readAt(plot, Math.max(0, Math.min(last, to)));
  else if (event.key === "+" || event.key === "=") zoom(plot, 0.5);
  else if (event.key === "-") zoom(plot, 2);
  else if (event.key === "0" || event.key === "Escape") zoom(plot, null);
  else return;
  event.preventDefault();
}

function readAt(plot, index) {
  const left = plot.valToPos(plot.data[0][index], "x");
  const series = plot.series.findIndex((one, i) => i && one.reads && plot.data[i][index] !== null);
  const top = series > 0 ? plot.valToPos(plot.data[series][index], "y") : 10;
  plot.setCursor({ left, top });
}

// Around the middle of what is seen; in the scale's own sense of distance.
function zoom(plot, factor) {
  const xs = plot.data[0], ends = [xs[0], xs[xs.length - 1]];
  if (factor === null) { plot.setScale("x", { min: ends[0], max: ends[1] }); return; }
  const log = plot.scales.x.distr === 3, to = log ? Math.log : Number, back = log ? Math.exp : Number;
  const { min, max } = plot.scales.x, middle = (to(min) + to(max)) / 2, reach = (to(max) - to(min)) / 2;
  plot.setScale("x", {
    min: Math.max(ends[0], back(middle - reach * factor)),
    max: Math.min(ends[1], back(middle + reach * factor)),
  });
}

// A note beside the pointer, always inside the chart.
function placeTip(tip, plot, left, top) {
  const width = tip.offsetWidth, room = plot.over.clientWidth;
  const x = left + 16 + width < room ? left + 16 : Math.max(0, left - width - 16);
  tip.style.left = `${plot.over.offsetLeft + x}px`;
  tip.style.top = `${plot.over.offsetTop + Math.max(0, top - tip.offsetHeight / 2)}px`;
}
