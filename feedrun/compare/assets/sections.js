// Overview, claims, figures and provenance.

const VERDICTS = {
  holds: ["✓", "holds", "hold"], fails: ["✕", "fails", "fail"],
  undecided: ["?", "undecided", "undecided"], "not measured": ["–", "not measured", "not measured"],
};
const kind = (verdict) => verdict.replace(" ", "-");

function counted(runs, key = "state") {
  const counts = {};
  runs.forEach((run) => { counts[run[key]] = (counts[run[key]] ?? 0) + 1; });
  return counts;
}

function renderOverview() {
  const one = experiment(), counts = counted(one.runs);
  document.getElementById("title").textContent = one.name;
  const states = Object.keys(STATES).filter((s) => counts[s]).map((s) => `${counts[s]} ${s}`).join(", ");
  const seen = [one.paper, one.groups.length ? plural(one.groups.length, "config") : "", `${plural(one.runs.length, "run")}: ${states}`];
  document.getElementById("facts").textContent = seen.filter(Boolean).join(" · ");
  renderFaults();
  renderConstant();
}

function renderExperiments() {
  const tabs = page.experiments.map((one) => el("button", {
    type: "button", role: "tab", "aria-selected": String(one === experiment()), "data-focus": `tab ${one.name}`,
    onclick: () => { enter(one.name); keepingFocus(renderAll); },
  }, one.name, el("small", {}, plural(one.runs.length, "run"))));
  fill("experiments", tabs.length > 1 ? tabs : []);
}

// Failed runs first: nobody should have to look for them.
function renderFaults() {
  const failed = experiment().runs.filter((run) => run.state === "failed");
  const lines = [...failed.map((run) => [`${run.id.slice(0, 12)} failed: `, el("span", {}, run.error || "no reason recorded")]),
    ...page.faults.map((fault) => [fault])];
  if (!lines.length) { fill("faults", []); return; }
  fill("faults", el("details", { class: "notice", open: lines.length < 5 },
    el("summary", {}, `${plural(lines.length, "thing")} to know about these records`),
    el("ul", {}, lines.map((line) => el("li", {}, line)))));
}

// A square a claim, always in the same place, so that groups can be told apart at a glance; and
// how often each verdict was reached. Rivals are counted apart.
function verdictStrip(verdicts, rival) {
  const { claims } = experiment(), counts = {};
  const squares = claims.map((claim, i) => {
    if ((claim.origin === "rival") !== rival) return null;
    const name = verdicts[i]?.over[0];
    if (name) counts[name] = (counts[name] ?? 0) + 1;
    return el("span", { class: name ? kind(name) : "none", title: `${name ?? "no verdict"}: ${claim.statement}` });
  });
  const words = Object.keys(VERDICTS).filter((name) => counts[name]).map((name) => {
    const [sign, one, many] = VERDICTS[name];
    return el("span", { class: `verdict ${kind(name)}` }, el("span", { "aria-hidden": "true" }, `${sign} `), `${counts[name]} ${counts[name] === 1 ? one : many}`);
  });
  return words.length ? el("div", { class: "verdicts" }, el("div", { class: "strip", "aria-hidden": "true" }, squares), words) : null;
}

function renderGroupsTable() {
  const { groups, claims } = experiment(), rivals = claims.some((claim) => claim.origin === "rival");
  const matched = groupsMatching(), drawn = matched.slice(0, 12);
  if (!drawn.length) {
    const none = groups.length ? "No record passes the filter." : "No run has begun.";
    fill("groups-table", el("p", { class: "quiet" }, none));
    return;
  }
  const rows = drawn.map((group) => {
    const { verdicts, smoke } = groups[group], own = verdictStrip(verdicts, false);
    return el("tr", { class: smoke ? "smoke" : "" },
      el("th", { scope: "row" }, el("span", { class: "who" }, swatch(group), groupLabel(group), smokeMark(groups[group]))),
      el("td", { class: "state" }, statesOf(runsOf(group))),
      el("td", {}, own ?? "–", smoke && own ? el("small", {}, "smoke: counts for nothing") : null),
      rivals ? el("td", { class: "rivals" }, verdictStrip(verdicts, true) ?? "–") : null);
  });
  fill("groups-table", el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "group"), el("th", { scope: "col" }, "runs"),
      el("th", { scope: "col" }, "claims"), rivals ? el("th", { scope: "col", title: "alternatives that would undercut the claims" }, "rivals (to hold speaks against)") : null)),
    el("tbody", {}, rows)),
  matched.length > drawn.length ? el("p", { class: "quiet note" }, `${matched.length - drawn.length} more groups are in the table of runs.`) : null);
}

function renderConstant() {
  const same = Object.entries(experiment().same), usual = Object.entries(experiment().usual);
  const settings = (all) => all.map(([key, value]) => el("code", {}, `${key}=${word(value)}`));
  fill("constant", usual.length ? el("p", { class: "settings" }, "Unless a label says otherwise:", settings(usual)) : null,
    same.length ? el("details", { class: "plain" }, el("summary", {}, `Same in all runs: ${plural(same.length, "setting")}`),
    el("p", { class: "settings" }, settings(same))) : null);
}

// ---- which groups are drawn, and in which colour

function renderChips() {
  const matched = groupsMatching(), on = new Set(shown()), open = opened();
  const chips = matched.map((group) => el("span", { class: `chip${on.has(group) ? "" : " off"}` },
    el("button", { type: "button", "aria-pressed": String(on.has(group)), "data-focus": `chip ${group}`,
      title: experiment().groups[group].whole, onclick: () => { toggleGroup(group); keepingFocus(render); } },
    swatch(group), groupLabel(group), smokeMark(experiment().groups[group]), el("small", {}, `×${runsOf(group).length}`)),
    el("button", { type: "button", class: "more", "aria-expanded": String(open.has(group)), "data-focus": `runs ${group}`,
      "aria-label": `single runs of ${groupLabel(group)}`, title: "single runs",
      onclick: () => { toggleOpen(group); keepingFocus(render); } }, open.has(group) ? "▾" : "▸")));
  const all = on.size < matched.length;
  const every = matched.length > 2 ? el("button", { type: "button", class: "plain", "data-focus": "all groups",
    onclick: () => { choose("g", all ? matched.join(",") : ","); keepingFocus(render); } }, all ? `draw all ${matched.length}` : "hide all") : null;
  fill("chips", matched.length > 12 ? [every, chips] : [chips, every]);
}

function renderFilter() {
  const input = document.getElementById("filter"), text = chosen.get("f") ?? "", test = filterOf(text);
  if (document.activeElement !== input) input.value = text;
  input.placeholder = example();
  input.setAttribute("aria-invalid", String(typeof test === "string"));
  const { runs } = experiment();
  document.getElementById("filtered").textContent = typeof test === "string" ? test
    : text ? `${matching().length} of ${plural(runs.length, "run")}` : plural(runs.length, "run");
}

// An example in the words of these very records.
function example() {
  const { keys, runs } = experiment(), first = runs.find((run) => run.values?.length);
  const config = keys.length && first ? `${keys[0]}=${word(first.values[0])}` : "state=complete";
  return `${config}   seed<3   -failed`;
}

// ---- claims

function verdictMark(name, extra = "") {
  const [sign, text] = VERDICTS[name];
  return el("span", { class: `verdict ${kind(name)}` }, el("span", { "aria-hidden": "true" }, `${sign} `), text, extra);
}

function claimCell(found, smoke) {
  if (!found) return el("td", { class: "claim" }, "–");
  const [verdict, value, low, high] = found.over, runs = Object.values(found.runs).reduce((a, b) => a + b, 0);
  const apart = Object.keys(found.runs).length > 1 || (runs > 1 && !found.runs[verdict]);
  const single = apart ? Object.entries(found.runs).map(([name, count]) => `${count} ${VERDICTS[name][count === 1 ? 1 : 2]}`).join(", ") : "";
  return el("td", { class: `claim${smoke ? " smoke" : ""}` }, verdictMark(verdict),
    el("span", { class: "measured" }, value === null ? "" : number(value), " ", el("span", { class: "interval" }, interval(low, high))),
    single ? el("small", {}, `single runs: ${single}`) : null);
}

// Whether the groups drawn come to different verdicts on it.
function differs(index, groups) {
  return new Set(groups.map((g) => experiment().groups[g].verdicts[index]?.over[0] ?? "none")).size > 1;
}

function renderClaims() {
  const { claims, groups } = experiment(), drawn = shown(), only = chosen.get("cl") ?? "all";
  const kept = claims.map((claim, i) => [claim, i]).filter(([, i]) => {
    const verdicts = drawn.map((g) => groups[g].verdicts[i]?.over[0]);
    if (only === "differ") return differs(i, drawn);
    return only === "open" ? verdicts.some((v) => v && v !== "holds") : true;
  });
  fill("claim-controls", choice("Show", [["all", `all ${claims.length} claims`], ["open", "not all hold"], ["differ", "groups differ"]],
    only, (value) => { choose("cl", value === "all" ? null : value); keepingFocus(renderClaims); }, { "data-focus": "cl" }));
  document.getElementById("claim-note").textContent = drawn.some((g) => groups[g].smoke)
    ? "Smoke runs are too small to decide anything: their verdicts count for nothing." : "";
  if (!kept.length || !drawn.length) { fill("claim-table", el("p", { class: "quiet" }, claims.length ? "No such claim among the groups drawn." : "No run has finished, so no claim is judged.")); return; }
  fill("claim-table", el("table", { class: "claims" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "claim"), el("th", { scope: "col" }, "expected"),
      drawn.map((g) => el("th", { scope: "col" }, el("span", { class: "who" }, swatch(g), groupLabel(g), smokeMark(groups[g])))))),
    el("tbody", {}, kept.map(([claim, i]) => el("tr", { class: claim.origin === "rival" ? "rivals" : "" },
      el("th", { scope: "row" }, claim.statement, el("small", {}, `${claim.origin} · ${claim.source} · ${claim.metric}`)),
      el("td", { class: "expected" }, claim.expected), drawn.map((g) => claimCell(groups[g].verdicts[i], groups[g].smoke)))))));
}

// ---- figures

const urls = new Map(); // figure number -> blob URL, made when first shown

function figureUrl(index) {
  if (!urls.has(index)) {
    const content = bytes(`figure-${index}`);
    const type = content[0] === 0x47 ? "image/gif" : "image/png"; // a GIF begins with G
    urls.set(index, URL.createObjectURL(new Blob([content], { type })));
  }
  return urls.get(index);
}

function renderFigures() {
  const { figures, runs } = experiment(), groups = new Set(shown()), passing = new Set(matching());
  const stems = [...new Set(figures.map(([, stem]) => stem))];
  const stem = stems.includes(chosen.get("stem")) ? chosen.get("stem") : stems[0];
  fill("figure-controls", stems.length > 1 ? choice("Figure", stems.map((name) => [name, name.replaceAll("_", " ")]), stem,
    (value) => { choose("stem", value); keepingFocus(renderFigures); }, { "data-focus": "stem" }) : []);
  const own = figures.filter(([run, name]) => name === stem && groups.has(runs[run].group) && passing.has(runs[run]));
  const inside = own.filter(([, , index]) => index !== null), outside = own.filter(([, , index]) => index === null);
  fill("figure-grid", inside.length ? inside.map(picture) : el("p", { class: "quiet" }, figures.length ? "None of the groups drawn has this figure in the page." : "No run has drawn a figure."));
  fill("figure-note", outside.length ? [`${plural(outside.length, "figure")} did not fit into the page; `, "in the records: ",
    outside.slice(0, 40).flatMap(([run, , , href], i) => [i ? ", " : "", el("a", { href }, figureLabel(run))]),
    outside.length > 40 ? ` and ${outside.length - 40} more` : ""] : []);
}

function figureLabel(run) {
  const { runs } = experiment(), { group, seed } = runs[run];
  return `${groupLabel(group)}, seed ${seed}`;
}

function picture([run, stem, index]) {
  const { group } = experiment().runs[run], label = figureLabel(run), alt = `${stem.replaceAll("_", " ")}: ${label}`;
  return el("figure", {}, el("figcaption", {}, swatch(group), label, smokeMark(experiment().runs[run])),
    el("button", { type: "button", class: "image", "aria-label": `enlarge ${alt}`, onclick: () => enlarge(index, alt) },
      el("img", { src: figureUrl(index), alt, decoding: "async" })));
}

function enlarge(index, alt) {
  const dialog = document.getElementById("enlarged");
  fill(dialog, el("button", { type: "button", onclick: () => dialog.close(), autofocus: true }, "Close"), el("p", {}, alt),
    el("img", { src: figureUrl(index), alt }));
  dialog.showModal();
}

// ---- provenance

function renderOrigin() {
  const { origin, runs } = experiment(), rows = matching().filter((run) => run.origin);
  const names = [...new Set(rows.flatMap((run) => Object.keys(run.origin)))];
  fill("origin-same", Object.keys(origin).length ? ["All runs: ", Object.entries(origin).flatMap(([name, value], i) => [i ? ", " : "", `${name} `, el("b", {}, value)]), "."] : []);
  if (!rows.length) { fill("origin-table", el("p", { class: "quiet" }, runs.length ? "No record passes the filter." : "No record.")); return; }
  const drawn = allRows ? rows : rows.slice(0, ROWS);
  fill("origin-table", el("table", { class: "origin" },
    el("thead", {}, el("tr", {}, ["record", "config", "seed", "state", ...names, "started", "took"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, drawn.map((run) => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: run.href }, run.folder), run.diff ? [" ", el("a", { href: `${run.href}code.diff` }, "diff")] : null),
      el("td", {}, el("span", { class: "who" }, swatch(run.group), groupLabel(run.group), smokeMark(run))), el("td", {}, String(run.seed)), el("td", {}, stateMark(run)),
      names.map((name) => el("td", {}, run.origin[name] ?? "–")),
      el("td", {}, run.started.replace("T", " ").slice(0, 16), run.resumed ? el("small", {}, `resumed ${run.resumed}×`) : null),
      el("td", {}, run.state === "complete" ? seconds(run.seconds) : "–"))))),
  rows.length > drawn.length ? el("p", { class: "quiet note" }, `${rows.length - drawn.length} more records; the table of runs draws all of them.`) : null);
}
