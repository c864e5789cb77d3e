// The table of runs: by group (its estimates, its runs folded under it) or run by run.

const ROWS = 200; // more than these are drawn only when asked for
let allRows = false;

const STATES = {
  complete: ["●", "complete"], failed: ["✕", "failed"], running: ["◐", "running"],
  stopped: ["◌", "stopped"], queued: ["○", "queued"],
};

function stateMark(run) {
  const [sign, text] = STATES[run.state] ?? ["?", run.state];
  return el("span", { class: `state ${run.state}` }, el("span", { "aria-hidden": "true" }, sign), ` ${text}`);
}

function smokeMark(thing) {
  return thing.smoke ? el("span", { class: "tag", title: "smoke: its verdicts count for nothing" }, "smoke") : null;
}

// The metrics in the table: chosen ones, or the first, those with a published number before others.
function metricColumns() {
  const { metrics, groups } = experiment();
  if (chosen.has("c")) return chosen.getAll("c").filter((name) => metrics.includes(name));
  const published = new Set(groups.flatMap((group) => Object.keys(group.published)).map(Number));
  return metrics.toSorted((a, b) => published.has(metrics.indexOf(b)) - published.has(metrics.indexOf(a))).slice(0, 5);
}

// { id, text, of(run), ofGroup(group) }: what a column sorts by, in either kind of row.
function tableColumns() {
  const { keys, metrics, groups } = experiment();
  const config = keys.map((key, i) => ({
    id: key, text: key, kind: "config", of: (run) => run.values[i], ofGroup: (g) => firstOf(g).values[i],
  }));
  const results = metricColumns().map((name) => ({
    id: name, text: name, kind: "metric", index: metrics.indexOf(name),
    of: (run) => run.summary?.[metrics.indexOf(name)] ?? null, ofGroup: (g) => groups[g].cells[metrics.indexOf(name)]?.[0] ?? null,
  }));
  return [...config,
    { id: "seed", text: "seed", kind: "config", of: (run) => run.seed, ofGroup: (g) => runsOf(g).length },
    { id: "state", text: "state", kind: "state", of: (run) => run.state, ofGroup: (g) => firstOf(g).state },
    ...results,
    { id: "seconds", text: "took", kind: "time", of: (run) => run.seconds || null, ofGroup: (g) => averageSeconds(g) }];
}

const firstOf = (group) => runsOf(group)[0];

function averageSeconds(group) {
  const all = runsOf(group).filter((run) => run.state === "complete").map((run) => run.seconds);
  return all.length ? all.reduce((a, b) => a + b) / all.length : null;
}

// Nothing sorts last, whichever way round.
function compare(a, b, down) {
  const empty = (v) => v === null || v === undefined;
  if (empty(a) || empty(b)) return empty(a) - empty(b);
  const order = typeof a === "number" && typeof b === "number" ? a - b : word(a).localeCompare(word(b), undefined, { numeric: true });
  return down ? -order : order;
}

function sorted(rows, key) {
  const column = tableColumns().find((one) => one.id === chosen.get("sort"));
  return column ? rows.toSorted((a, b) => compare(column[key](a), column[key](b), flag("down"))) : rows;
}

function renderTable() {
  const all = tableColumns(), byRun = chosen.get("t") === "runs";
  runControls(byRun);
  const rows = byRun ? sorted(matching(), "of").map((run) => () => runRow(run, all, false)) : groupedRows(all);
  const drawn = allRows ? rows : rows.slice(0, ROWS);
  fill("run-table", el("table", { class: "runs" },
    el("caption", { class: "unseen" }, byRun ? "Runs" : "Groups of runs that differ only in their seed"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, byRun ? "run" : "group"), all.map(header))),
    el("tbody", {}, drawn.map((row) => row()))));
  document.getElementById("run-note").replaceChildren(...runNote(rows.length, drawn.length));
}

// Rows are made only when they are drawn: a thousand of them take longer than the rest of the page.
function groupedRows(all) {
  const rows = [], passing = new Set(matching()), open = opened();
  for (const group of sorted(groupsMatching(), "ofGroup")) {
    rows.push(() => groupRow(group, all));
    if (open.has(group)) rows.push(...sorted(runsOf(group).filter((run) => passing.has(run)), "of").map((run) => () => runRow(run, all, true)));
  }
  rows.push(...matching().filter((run) => run.group === null).map((run) => () => runRow(run, all, false)));
  return rows;
}

function header(column) {
  const active = chosen.get("sort") === column.id, down = flag("down");
  const press = () => {
    choose("down", active && !down);
    choose("sort", active && down ? null : column.id);
    keepingFocus(renderTable);
  };
  return el("th", { scope: "col", class: column.kind, "aria-sort": active ? (down ? "descending" : "ascending") : "none" },
    el("button", { type: "button", onclick: press, "data-focus": `sort ${column.id}` }, column.text,
      el("span", { class: "arrow", "aria-hidden": "true" }, active ? (down ? "↓" : "↑") : "")));
}

function groupRow(group, all) {
  const open = opened().has(group), runs = runsOf(group);
  const opener = el("button", { type: "button", class: "opener", "aria-expanded": String(open), "data-focus": `open ${group}`,
    "aria-label": `${groupLabel(group)}: ${plural(runs.length, "run")}`,
    onclick: () => { toggleOpen(group); keepingFocus(render); } }, el("span", { "aria-hidden": "true" }, open ? "▾" : "▸"),
  swatch(group), plural(runs.length, "run"));
  return el("tr", { class: "group" }, el("th", { scope: "row" }, opener, smokeMark(experiment().groups[group])),
    all.map((column) => groupCell(column, group, runs)));
}

function groupCell(column, group, runs) {
  if (column.id === "seed") return el("td", { class: "config quiet" }, seedsOf(runs));
  if (column.id === "state") return el("td", { class: "state" }, statesOf(runs));
  if (column.kind === "time") return el("td", { class: "time" }, seconds(column.ofGroup(group)));
  if (column.kind === "config") return el("td", { class: "config" }, word(column.ofGroup(group)));
  const cell = experiment().groups[group].cells[column.index];
  if (!cell) return el("td", { class: "metric" }, "–");
  const [value, low, high, n, over] = cell;
  return el("td", { class: "metric", title: over ? `95% interval over ${over === "fit" ? "its fit" : over}, n = ${n}` : `n = ${n}` },
    number(value), el("small", {}, interval(low, high)),
    (experiment().groups[group].published[column.index] ?? []).map(([one, from, to, where]) =>
      el("small", { class: "published", title: where }, "published ", one === null ? "" : `${number(one)} `, interval(from, to))));
}

function seedsOf(runs) {
  const seeds = runs.map((run) => run.seed).filter((seed) => seed !== null && seed !== undefined).sort((a, b) => a - b);
  const whole = seeds.length > 2 && seeds.at(-1) - seeds[0] === seeds.length - 1;
  return whole ? `${seeds[0]}–${seeds.at(-1)}` : seeds.join(", ");
}

function statesOf(runs) {
  return Object.keys(STATES).map((state) => {
    const count = runs.filter((run) => run.state === state).length;
    return count ? el("span", { class: `state ${state}` }, `${count} ${state}`, " ") : null;
  });
}

function runRow(run, all, inside) {
  return el("tr", { class: `run ${run.state}${inside ? " inside" : ""}` },
    el("th", { scope: "row" }, inside || run.group === null ? null : swatch(run.group),
      runName(run), inside ? null : smokeMark(run)),
    all.map((column) => runCell(column, run)));
}

// A queued run has no folder yet to lead to.
function runName(run) {
  const link = run.state === "queued" ? {} : { href: run.href, title: run.folder };
  return el(link.href ? "a" : "span", { class: "id", ...link }, run.id.slice(0, 12));
}

function runCell(column, run) {
  const value = column.of(run);
  if (column.kind === "state") {
    const error = run.error ? el("small", { class: "error" }, run.error) : null;
    return el("td", { class: "state" }, stateMark(run), error, standing(run));
  }
  if (column.kind === "time") return el("td", { class: "time" }, seconds(value));
  return el("td", { class: column.kind }, column.kind === "metric" ? number(value) : word(value));
}

// How far a run is that has not finished, as of when the page was written.
function standing(run) {
  const words = run.progress || (run.idle === null || run.idle === undefined ? "" : `last row ${seconds(run.idle)} before`);
  return ["running", "stopped"].includes(run.state) && words ? el("small", {}, words) : null;
}

function runControls(byRun) {
  const { metrics } = experiment(), drawn = metricColumns();
  const toggle = (name) => {
    const next = metrics.filter((one) => (one === name) !== drawn.includes(one));
    choose("c", next.length ? next : [""]);
    const open = document.querySelector("#run-controls details").open;
    keepingFocus(renderTable);
    document.querySelector("#run-controls details").open = open;
    document.querySelector(`[data-focus="${CSS.escape(`column ${name}`)}"]`)?.focus();
  };
  fill("run-controls",
    el("div", { class: "segments", role: "group", "aria-label": "rows" },
      button("groups", !byRun, () => { choose("t", null); keepingFocus(renderTable); }, { "data-focus": "groups" }),
      button("runs", byRun, () => { choose("t", "runs"); keepingFocus(renderTable); }, { "data-focus": "table runs" })),
    el("details", { class: "menu" }, el("summary", {}, `Columns (${drawn.length} of ${metrics.length} metrics)`),
      el("div", { class: "menu-body" }, metrics.map((name) => el("label", {},
        el("input", { type: "checkbox", checked: drawn.includes(name), onchange: () => toggle(name), "data-focus": `column ${name}` }), name)))));
}

function runNote(count, drawn) {
  const about = "Brackets are 95% intervals over the complete runs of a group (for one run, over its repeats or of its fit). ";
  if (drawn === count) return [about];
  return [about, `${drawn} of ${count} rows are drawn. `,
    el("button", { type: "button", onclick: () => { allRows = true; renderTable(); } }, `Draw all ${count}`)];
}
