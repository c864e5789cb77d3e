// What the reader has chosen. It lives in the address (after #), so that a reload keeps it and a
// link can be shared; everything that is not in the address is worked out from the records.

const COLOURS = 7;
const DASHES = [[], [7, 4], [2, 3]];

let page = null; // the data block
let numbers = null; // all curves, end to end
const chosen = new URLSearchParams(location.hash.slice(1));

function choose(key, value) {
  chosen.delete(key);
  if (Array.isArray(value)) value.forEach((one) => chosen.append(key, one));
  else if (value !== null && value !== "" && value !== false) chosen.set(key, value === true ? "1" : value);
  // A page opened from a file has no history of its own in some browsers: then only this is lost.
  try { history.replaceState(null, "", `#${chosen}`); } catch { /* nothing to do */ }
}

const flag = (key) => chosen.get(key) === "1";

function experiment() {
  return page.experiments.find((one) => one.name === chosen.get("e")) ?? page.experiments[0];
}

// Choices that mean something only within one experiment.
const LOCAL = ["m", "ly", "ny", "g", "o", "sort", "down", "c", "sx", "sy", "stem", "f", "r"];

function enter(name) {
  LOCAL.forEach((key) => chosen.delete(key));
  choose("e", name);
}

function runsOf(group) {
  const all = remembered("members", () => Map.groupBy(experiment().runs, (run) => run.group));
  return all.get(group) ?? [];
}

// ---- the filter: words and comparisons, all of which must hold: lr>0.01 -seed=3 failed

const COMPARE = {
  "=": (a, b) => a === b, "!=": (a, b) => a !== b, "<": (a, b) => a < b,
  ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
};

// What a run is called, for comparisons: its config, its summary, and these.
function fields(run) {
  const { keys, metrics } = experiment();
  const known = { seed: run.seed, state: run.state, id: run.id, smoke: run.smoke };
  metrics.forEach((name, i) => { known[name] = run.summary?.[i]; });
  keys.forEach((name, i) => { known[name] = run.values[i]; });
  return known;
}

// The whole name of a column, of which the last part is enough: lr for training.lr.
function column(name) {
  const { keys, metrics } = experiment();
  const all = ["seed", "state", "id", "smoke", ...keys, ...metrics];
  const ends = all.filter((one) => one.endsWith(`.${name}`));
  return all.includes(name) ? name : ends.length === 1 ? ends[0] : null;
}

// Returns a test of runs, or the sentence that says what is wrong with the words.
function filterOf(text) {
  const tests = [];
  for (const part of text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []) {
    const plain = part.replaceAll('"', "");
    const found = /^(-?)([^<>=!]+)(<=|>=|!=|=|<|>)(.+)$/.exec(plain);
    const name = found && column(found[2]);
    if (found && !name) return `no column ${found[2]}`;
    tests.push(found ? comparison(name, found) : holding(plain));
  }
  return (run) => tests.every((test) => test(run));
}

function comparison(name, [, minus, , sign, wanted]) {
  return (run) => {
    const value = fields(run)[name];
    if (value === null || value === undefined) return minus === "-";
    const numeric = typeof value === "number" && !Number.isNaN(Number(wanted));
    const holds = COMPARE[sign](numeric ? value : word(value), numeric ? Number(wanted) : wanted);
    return holds !== (minus === "-");
  };
}

function holding(plain) {
  const minus = plain.startsWith("-") && plain.length > 1;
  const wanted = (minus ? plain.slice(1) : plain).toLowerCase();
  return (run) => {
    const { keys } = experiment();
    const text = [run.state, run.id, `seed=${run.seed}`, run.smoke ? "smoke" : "", run.error ?? "",
      ...keys.map((key, i) => `${key}=${word(run.values[i])}`)].join(" ").toLowerCase();
    return text.includes(wanted) !== minus;
  };
}

// ---- what is shown

// Each of these is asked for by every row and every swatch of a drawing, so answers are kept until
// the choices that they depend on change.
const answers = new Map();

function remembered(name, make) {
  const key = [experiment().name, chosen.get("f"), chosen.get("g")].join("\n");
  if (answers.get("key") !== key) { answers.clear(); answers.set("key", key); }
  if (!answers.has(name)) answers.set(name, make());
  return answers.get(name);
}

function matching() {
  return remembered("runs", () => {
    const test = filterOf(chosen.get("f") ?? ""), { runs } = experiment();
    return typeof test === "function" ? runs.filter(test) : runs;
  });
}

// A group is there whole as soon as one of its runs passes: no seed is ever dropped from a mean.
function groupsMatching() {
  return remembered("groups", () =>
    [...new Set(matching().map((run) => run.group))].filter((g) => g !== null).sort((a, b) => a - b));
}

// Groups drawn, by colour: the place of a group in this list is its colour, null is a free place.
function slots() {
  return remembered("slots", () => {
    const there = new Set(groupsMatching());
    if (!chosen.has("g")) return [...there].slice(0, COLOURS);
    return chosen.get("g").split(",").map((g) => (g !== "" && there.has(Number(g)) ? Number(g) : null));
  });
}

const shown = () => slots().filter((group) => group !== null);

function toggleGroup(group) {
  const places = [...slots()];
  const place = places.indexOf(group), free = places.indexOf(null);
  if (place >= 0) places[place] = null;
  else if (free >= 0) places[free] = group;
  else places.push(group);
  choose("g", places.map((g) => g ?? "").join(",") || ",");
}

function opened() {
  return new Set((chosen.get("o") ?? "").split(",").filter(Boolean).map(Number));
}

function toggleOpen(group) {
  const all = opened();
  if (!all.delete(group)) all.add(group);
  choose("o", [...all].join(","));
}

// Seven colours told apart with each kind of colour blindness, then the same ones dashed.
function look(group) {
  const place = slots().indexOf(group);
  if (place < 0) return { colour: "var(--faint)", dash: [], place };
  return { colour: `var(--c${place % COLOURS})`, dash: DASHES[Math.floor(place / COLOURS) % DASHES.length], place };
}

function swatch(group) {
  const { colour, dash, place } = look(group);
  const kind = place < 0 ? "off" : ["solid", "dashed", "dotted"][DASHES.indexOf(dash)];
  return el("span", { class: `swatch ${kind}`, style: { "--colour": colour }, "aria-hidden": "true" });
}

function groupLabel(group) {
  return experiment().groups[group].label || "all runs";
}

// Colours as the canvas wants them: var() and light-dark() resolved by the browser.
function resolved(colour) {
  const probe = document.getElementById("said");
  probe.style.color = colour;
  return getComputedStyle(probe).color;
}

function translucent(colour, alpha) {
  return resolved(colour).replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);
}
