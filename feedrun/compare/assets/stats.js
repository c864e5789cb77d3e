// Means and intervals of curves. A curve is an array on a shared x axis, NaN where it has no value.

// Values between the points of a run that others were logged at; never beyond its own ends.
function bridged(xs, ys) {
  const out = Float64Array.from(ys);
  let before = -1;
  for (let i = 0; i < out.length; i++) {
    if (Number.isNaN(ys[i])) continue;
    for (let gap = before + 1; before >= 0 && gap < i; gap++) {
      const share = (xs[gap] - xs[before]) / (xs[i] - xs[before]);
      out[gap] = ys[before] + share * (ys[i] - ys[before]);
    }
    before = i;
  }
  return out;
}

// A curve over its own times, read off at the times of `grid`.
function resampled(times, ys, grid) {
  const out = new Float64Array(grid.length).fill(NaN);
  let right = 0, left = -1;
  const next = (from) => {
    while (from < times.length && (Number.isNaN(times[from]) || Number.isNaN(ys[from]))) from++;
    return from;
  };
  right = next(0);
  grid.forEach((x, i) => {
    while (right < times.length && times[right] < x) { left = right; right = next(right + 1); }
    if (right >= times.length) return;
    if (times[right] === x) { out[i] = ys[right]; return; }
    if (left < 0) return;
    const share = (x - times[left]) / (times[right] - times[left]);
    out[i] = ys[left] + share * (ys[right] - ys[left]);
  });
  return out;
}

// Mean over runs with half its 95% interval (Student's t, three runs or more). Only where every
// run has a value: a mean whose members change along the way would jump for no reason.
function pooled(curves, quantiles) {
  const n = curves.length, mean = new Float64Array(curves[0].length), half = mean.slice();
  for (let i = 0; i < mean.length; i++) {
    let sum = 0, squares = 0;
    for (const curve of curves) sum += curve[i];
    mean[i] = sum / n;
    for (const curve of curves) squares += (curve[i] - mean[i]) ** 2;
    half[i] = n < 3 ? NaN : quantile(quantiles, n - 1) * Math.sqrt(squares / (n - 1) / n);
  }
  return { mean, half: n < 3 ? null : half, n };
}

function quantile(quantiles, freedom) {
  return quantiles[Math.min(freedom, quantiles.length) - 1];
}

// Exponential moving average that starts without bias: factor 0 leaves the curve as it is.
function smoothed(ys, factor) {
  if (!factor || !ys) return ys;
  const out = new Float64Array(ys.length).fill(NaN);
  let sum = 0, weight = 0;
  ys.forEach((y, i) => {
    if (Number.isNaN(y)) return;
    sum = factor * sum + (1 - factor) * y;
    weight = factor * weight + (1 - factor);
    out[i] = sum / weight;
  });
  return out;
}

function extent(arrays, keep = () => true) {
  let low = Infinity, high = -Infinity;
  for (const array of arrays) {
    for (const value of array) {
      if (!Number.isNaN(value) && keep(value)) { low = Math.min(low, value); high = Math.max(high, value); }
    }
  }
  return low > high ? null : [low, high];
}

function spacedPoints(low, high, count, log) {
  const at = (i) => i / (count - 1);
  return Float64Array.from({ length: count }, (_, i) =>
    log ? low * (high / low) ** at(i) : low + (high - low) * at(i));
}
