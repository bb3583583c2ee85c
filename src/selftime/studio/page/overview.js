// All series, small: only those in view are drawn and asked for, in an order that can be chosen.

import { nameOf, on, select, selectedRows, store, tell } from "./store.js";
import { caption, looks, nameOfRow, peek, show } from "./thumbs.js";

const grid = document.getElementById("grid");
const cells = document.getElementById("cells");
const order = document.getElementById("order");
const scale = document.getElementById("scale");
const facts = document.getElementById("overview-facts");
const WIDE = 128, HIGH = 76;

let rows = new Int32Array(0);
let across = 1, wide = WIDE, active = 0, ticket = 0, planned = 0;
const pool = new Map(); // place in the order -> its cell

export function start() {
  new ResizeObserver(lay).observe(grid);
  grid.addEventListener("scroll", plan, { passive: true });
  order.addEventListener("change", () => sort(true));
  scale.addEventListener("change", () => {
    store.scale = scale.value;
    redraw();
  });
  on("codes", () => (order.value === "given" ? redraw() : sort(false)));
  on("predictions", () => order.value === "unsure" && sort(false));
  on("selection", () => (order.value === "selected" ? sort(true) : mark()));
  on("theme", redraw);
  on("current", mark);
  scale.parentElement.hidden = !store.about.curves;
  sort(true);
}

function sort(top) {
  const { N, codes, confidence } = store;
  let found = Int32Array.from({ length: N }, (_, i) => i);
  if (order.value === "class") found.sort((a, b) => (codes[a] < 0) - (codes[b] < 0) || codes[a] - codes[b] || a - b);
  if (order.value === "unsure" && confidence) found.sort((a, b) => (codes[a] >= 0) - (codes[b] >= 0) || confidence[a] - confidence[b] || a - b);
  if (order.value === "open") found = found.filter((i) => codes[i] < 0);
  if (order.value === "selected") found = found.filter((i) => store.selected[i]);
  rows = found;
  const many = store.about.curves && store.about.channels.length > 4 ? "a line a channel, low blue, high orange" : "";
  facts.textContent = order.value === "given" ? many : `${rows.length.toLocaleString("en")} shown`;
  if (top) {
    grid.scrollTop = 0;
    active = 0;
  }
  lay();
}

function lay() {
  if (!grid.clientWidth) return;
  across = Math.max(1, Math.floor(grid.clientWidth / WIDE));
  wide = Math.floor(grid.clientWidth / across);
  cells.style.height = `${Math.ceil(rows.length / across) * HIGH}px`;
  redraw();
}

function redraw() {
  for (const cell of pool.values()) cell.remove();
  pool.clear();
  plan();
}

function plan() {
  if (!planned) planned = requestAnimationFrame(() => {
    planned = 0;
    fill();
  });
}

async function fill() {
  const own = ++ticket;
  const first = Math.max(0, Math.floor(grid.scrollTop / HIGH) - 1) * across;
  const last = Math.min(rows.length, (Math.ceil((grid.scrollTop + grid.clientHeight) / HIGH) + 1) * across);
  for (const [place, cell] of pool) {
    if (place >= first && place < last) continue;
    cell.remove();
    pool.delete(place);
  }
  const seen = [];
  for (let place = first; place < last; place++) {
    seen.push(rows[place]);
    if (!pool.has(place)) pool.set(place, make(place));
  }
  mark();
  if (!seen.length) return;
  await looks(seen);
  if (own !== ticket) return;
  for (const [place, cell] of pool) picture(cell, rows[place]);
  if (!performance.getEntriesByName("overview drawn").length) performance.mark("overview drawn");
}

function make(place) {
  const row = rows[place], cell = document.createElement("div");
  cell.className = "cell";
  cell.id = `cell-${place}`;
  cell.setAttribute("role", "option");
  cell.setAttribute("aria-posinset", place + 1);
  cell.setAttribute("aria-setsize", rows.length);
  cell.dataset.place = place;
  cell.setAttribute("aria-label", nameOfRow(row)); // until it is drawn
  Object.assign(cell.style, { width: `${wide}px`, height: `${HIGH}px`, left: `${(place % across) * wide}px`, top: `${Math.floor(place / across) * HIGH}px` });
  cells.append(cell);
  if (peek(row)) picture(cell, row);
  return cell;
}

function picture(cell, row) {
  const look = peek(row);
  if (!look || cell.dataset.drawn) return;
  cell.dataset.drawn = "yes";
  show(cell, look, wide - 6, HIGH - 24);
  const code = store.codes[row];
  const guess = code < 0 && store.predicted ? `${nameOf(store.predicted[row])}?` : "";
  cell.append(caption(row, look.name, guess));
  cell.setAttribute("aria-label", `${look.name}${code >= 0 ? `, ${nameOf(code)}` : guess ? `, perhaps ${guess}` : ""}`);
  cell.title = look.name;
}

function mark() {
  for (const [place, cell] of pool) {
    cell.classList.toggle("current", rows[place] === store.row);
    cell.classList.toggle("active", place === active);
    cell.classList.toggle("selected", store.selected[rows[place]] === 1);
    cell.setAttribute("aria-selected", rows[place] === store.row);
  }
  if (pool.has(active)) grid.setAttribute("aria-activedescendant", `cell-${active}`);
}

cells.addEventListener("click", (event) => {
  const cell = event.target.closest(".cell");
  if (!cell) return;
  active = Number(cell.dataset.place);
  const row = rows[active];
  if (event.ctrlKey || event.metaKey || event.shiftKey) toggle(row);
  else tell("open", { row });
});

function toggle(row) {
  const some = new Set(selectedRows());
  if (!some.delete(row)) some.add(row);
  select([...some]);
}

const STEPS = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -across, ArrowDown: () => across, PageUp: () => -across * Math.floor(grid.clientHeight / HIGH), PageDown: () => across * Math.floor(grid.clientHeight / HIGH), Home: () => -Infinity, End: () => Infinity };

export const keys = {
  way(name) {
    active = Math.min(Math.max(active + STEPS[name](), 0), rows.length - 1);
    const top = Math.floor(active / across) * HIGH;
    if (top < grid.scrollTop) grid.scrollTop = top;
    if (top + HIGH > grid.scrollTop + grid.clientHeight) grid.scrollTop = top + HIGH - grid.clientHeight;
    plan();
  },
  open: () => rows.length && tell("open", { row: rows[active] }),
  toggle: () => rows.length && toggle(rows[active]),
};
