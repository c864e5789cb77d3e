"use strict";
// What the page holds, how numbers are written, and how elements are made.

// The bytes of a block. (atob gives a string of bytes; newer browsers decode directly.)
function bytes(id) {
  const text = document.getElementById(`block-${id}`).textContent;
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

async function unpacked(id) {
  const stream = new Blob([bytes(id)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Undo drawn.Floats.packed: all first bytes of the numbers come first, then all second ones.
function floats(planes) {
  const count = planes.length / 4, whole = new Uint8Array(planes.length);
  for (let plane = 0; plane < 4; plane++) {
    const start = plane * count;
    for (let i = 0; i < count; i++) whole[4 * i + plane] = planes[start + i];
  }
  return new Float32Array(whole.buffer);
}

// Four significant digits, as the terminal shows them.
function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-4) {
    return value.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
  }
  return String(Number(value.toPrecision(4)));
}

function interval(low, high) {
  return low === null || low === undefined || low === high ? "" : `[${number(low)}, ${number(high)}]`;
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 100) return `${number(value)} s`;
  return value < 6000 ? `${number(value / 60)} min` : `${number(value / 3600)} h`;
}

// A config value, as the labels of groups write it.
function word(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

// Names come from records, so text is only ever set as text: there is no innerHTML in this page.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function fill(id, ...children) {
  const node = typeof id === "string" ? document.getElementById(id) : id;
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== ""));
  return node;
}

function button(text, pressed, onclick, more = {}) {
  return el("button", { type: "button", "aria-pressed": String(pressed), onclick, ...more }, text);
}

function choice(label, options, value, onchange, more = {}) {
  const select = el("select", { onchange: () => onchange(select.value), ...more },
    options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  return el("label", { class: "choice" }, el("span", {}, label), select);
}

// Rebuilding a region drops the focus of whoever pressed a button in it; put it back by name.
function keepingFocus(redraw) {
  const name = document.activeElement?.getAttribute("data-focus");
  redraw();
  if (name) document.querySelector(`[data-focus="${CSS.escape(name)}"]`)?.focus({ preventScroll: true });
}

function say(text) {
  document.getElementById("said").textContent = text;
}
