// The map: every series a point, drawn as pixels, so that 50,000 of them can be moved and selected.

import { bytes } from "./api.js";
import { fit } from "./curves.js";
import { colour, stamp } from "./marks.js";
import { nameOf, on, select, selectedRows, store, tell } from "./store.js";

const field = document.getElementById("map");
const points = document.getElementById("points");
const over = document.getElementById("over");
const tip = document.getElementById("tip");
const EDGE = 14; // free space around the points
const REACH = 12; // how far a pointer may be from its point

let view = { x: 0.5, y: 0.5, zoom: 1 };
let xs = new Float32Array(0), ys = new Float32Array(0); // where each point is on the field
let width = 0, height = 0, frame = 0;
let lasso = null, drag = null;
let cursor = -1; // the point that keys go from
let thumbName = () => "";

export function start(names) {
  thumbName = names;
  new ResizeObserver(() => resize()).observe(field);
  for (const name of ["codes", "selection", "predictions", "theme"]) on(name, redraw);
  on("current", (row) => {
    cursor = row;
    drawOver();
  });
}

export async function load() {
  const { buffer } = await bytes("map");
  store.places = new Uint16Array(buffer);
  resize();
}

function resize() {
  width = field.clientWidth;
  height = field.clientHeight;
  place();
  redraw();
}

// Where each point is, for the present zoom.
function place() {
  if (!store.places || !width) return;
  const { N, places } = store;
  if (xs.length !== N) [xs, ys] = [new Float32Array(N), new Float32Array(N)];
  const sx = ((width - 2 * EDGE) * view.zoom) / 65535, sy = ((height - 2 * EDGE) * view.zoom) / 65535;
  const ox = width / 2 - view.x * 65535 * sx, oy = height / 2 - view.y * 65535 * sy;
  for (let i = 0; i < N; i++) {
    xs[i] = ox + places[2 * i] * sx;
    ys[i] = oy + places[2 * i + 1] * sy;
  }
}

export function redraw() {
  if (frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    draw();
    drawOver();
  });
}

function sizeOfPoints() {
  const crowd = store.N > 20000 ? 2 : store.N > 3000 ? 3.2 : store.N > 600 ? 5 : 7;
  return Math.min(crowd * Math.sqrt(view.zoom), 9);
}

// Stamps that were made, until the theme, the zoom or the density of pixels changes.
let made = new Map(), madeFor = "";

// Which stamp a point gets: its label large; else what the probe says, fainter where it is unsure.
function stamps(ratio) {
  const small = sizeOfPoints(), large = Math.max(small + 2, 8);
  const now = `${ratio} ${small} ${colour("--paper")}`;
  if (now !== madeFor) [made, madeFor] = [new Map(), now];
  const get = (key, code, size, opacity) => {
    let found = made.get(key);
    if (!found) made.set(key, (found = stamp(code, size, opacity, ratio)));
    return found;
  };
  const { codes, selected, predicted, confidence } = store;
  const some = store.count > 0, probe = store.colouring === "probe" && predicted;
  return (i) => {
    const code = codes[i], own = some && selected[i], faded = some && !own;
    if (code >= 0) return get(16 * code + faded, code, large, faded ? 0.22 : 1);
    if (probe) {
      const sure = confidence[i] >> 6, guess = predicted[i];
      return get(16 * guess + 2 + 2 * sure + faded, guess, small, (faded ? 0.22 : 1) * (0.35 + 0.16 * sure));
    }
    return own ? get(-1, -1, small + 1.5, 1) : get(faded ? -2 : -3, -1, small, faded ? 0.13 : 0.6);
  };
}

let image = null;
function draw() {
  if (!width) return;
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const ctx = fit(points, width, height);
  if (!store.places) return;
  const W = points.width, H = points.height, of = stamps(ratio), { N, codes } = store;
  if (image?.width !== W || image?.height !== H) image = ctx.createImageData(W, H);
  const [r, g, b] = rgbOf(colour("--paper"));
  new Uint32Array(image.data.buffer).fill((255 << 24) | (b << 16) | (g << 8) | r);
  const labelled = [];
  for (let i = 0; i < N; i++) {
    if (codes[i] >= 0) labelled.push(i);
    else lay(image.data, W, H, Math.round(xs[i] * ratio), Math.round(ys[i] * ratio), of(i));
  }
  for (const i of labelled) lay(image.data, W, H, Math.round(xs[i] * ratio), Math.round(ys[i] * ratio), of(i));
  ctx.putImageData(image, 0, 0);
  performance.mark("map drawn");
}

// Lay a stamp on an image; opacities count to 256, so that a shift divides.
function lay(out, W, H, x, y, { dx, dy, rgb, alpha, reach }) {
  if (x < -reach || y < -reach || x > W + reach || y > H + reach) return;
  const within = x >= reach && y >= reach && x < W - reach && y < H - reach;
  for (let p = 0; p < alpha.length; p++) {
    const px = x + dx[p], py = y + dy[p];
    if (!within && (px < 0 || py < 0 || px >= W || py >= H)) continue;
    const k = 4 * (py * W + px), a = alpha[p], rest = 256 - a;
    out[k] = (rgb[3 * p] * a + out[k] * rest) >> 8;
    out[k + 1] = (rgb[3 * p + 1] * a + out[k + 1] * rest) >> 8;
    out[k + 2] = (rgb[3 * p + 2] * a + out[k + 2] * rest) >> 8;
  }
}

function rgbOf(text) {
  const hex = text.replace("#", "");
  const full = hex.length === 3 ? [...hex].map((v) => v + v).join("") : hex;
  return [0, 2, 4].map((k) => parseInt(full.slice(k, k + 2), 16));
}

function drawOver() {
  const ctx = fit(over, width, height);
  if (!store.places) return;
  drawNames(ctx);
  for (const [row, size, wide] of [[store.row, 9, 2.5], [cursor, 13, 1.5]]) {
    if (row < 0 || (row === store.row && size === 13)) continue;
    ctx.beginPath();
    ctx.arc(xs[row], ys[row], size, 0, 7);
    ctx.lineWidth = wide + 2;
    ctx.strokeStyle = colour("--paper");
    ctx.stroke();
    ctx.lineWidth = wide;
    ctx.strokeStyle = colour("--ink");
    ctx.stroke();
  }
  if (lasso && lasso.length > 2) {
    ctx.beginPath();
    for (let k = 0; k < lasso.length; k += 2) ctx.lineTo(lasso[k], lasso[k + 1]);
    ctx.closePath();
    ctx.fillStyle = `rgb(${colour("--band")} / .14)`;
    ctx.fill();
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = colour("--strong");
    ctx.stroke();
  }
}

// The name of each class, above the label that is nearest to the middle of all its labels.
function drawNames(ctx) {
  ctx.font = "600 12px system-ui, sans-serif";
  ctx.textAlign = "center";
  const taken = [];
  store.classes.slice(0, 30).forEach((one, code) => {
    const rows = [];
    for (let i = 0; i < store.N; i++) if (store.codes[i] === code) rows.push(i);
    if (!rows.length) return;
    const middle = (v) => rows.map((i) => v[i]).sort((a, b) => a - b)[rows.length >> 1];
    const [mx, my] = [middle(xs), middle(ys)], far = (i) => Math.hypot(xs[i] - mx, ys[i] - my);
    const nearest = rows.reduce((best, i) => (far(i) < far(best) ? i : best));
    const name = one.name.length > 18 ? `${one.name.slice(0, 17)}…` : one.name;
    const half = ctx.measureText(name).width / 2 + 4;
    let at = [Math.min(Math.max(xs[nearest], half), width - half), Math.min(Math.max(ys[nearest] - 10, 14), height - 8)];
    for (let k = 0; k < 6 && taken.some(([a, b, w]) => Math.abs(a - at[0]) < w + half && Math.abs(b - at[1]) < 15); k++) at = [at[0], at[1] + 16];
    taken.push([...at, half]);
    ctx.lineWidth = 4;
    ctx.lineJoin = "round";
    ctx.strokeStyle = colour("--paper");
    ctx.strokeText(name, ...at);
    ctx.fillStyle = colour("--ink");
    ctx.fillText(name, ...at);
  });
}

function nearestTo(x, y, reach) {
  let best = -1, least = reach * reach;
  for (let i = 0; i < xs.length; i++) {
    const a = xs[i] - x, b = ys[i] - y, d = a * a + b * b;
    if (d < least) [least, best] = [d, i];
  }
  return best;
}

// Rows within a polygon, by the parity of the edges to the right of each point.
export function inside(polygon) {
  const rows = [], n = polygon.length / 2;
  let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
  for (let k = 0; k < n; k++) {
    left = Math.min(left, polygon[2 * k]);
    right = Math.max(right, polygon[2 * k]);
    top = Math.min(top, polygon[2 * k + 1]);
    bottom = Math.max(bottom, polygon[2 * k + 1]);
  }
  for (let i = 0; i < xs.length; i++) {
    const x = xs[i], y = ys[i];
    if (x < left || x > right || y < top || y > bottom) continue;
    let within = false;
    for (let a = 0, b = n - 1; a < n; b = a++) {
      const ya = polygon[2 * a + 1], yb = polygon[2 * b + 1];
      if (ya > y !== yb > y && x < ((polygon[2 * b] - polygon[2 * a]) * (y - ya)) / (yb - ya) + polygon[2 * a]) within = !within;
    }
    if (within) rows.push(i);
  }
  return rows;
}

const spot = (event) => {
  const box = over.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

over.addEventListener("pointerdown", (event) => {
  if (!store.places || event.button === 2) return;
  over.setPointerCapture(event.pointerId);
  field.focus({ preventScroll: true });
  const [x, y] = spot(event);
  if (event.button === 1 || event.altKey) drag = { x, y, from: { ...view } };
  else lasso = [x, y];
  event.preventDefault();
});
over.addEventListener("pointermove", (event) => {
  const [x, y] = spot(event);
  if (drag) {
    view.x = drag.from.x - (x - drag.x) / ((width - 2 * EDGE) * view.zoom);
    view.y = drag.from.y - (y - drag.y) / ((height - 2 * EDGE) * view.zoom);
    place();
    redraw();
  } else if (lasso) {
    const n = lasso.length;
    if (Math.hypot(x - lasso[n - 2], y - lasso[n - 1]) > 3) lasso.push(x, y);
    drawOver();
  } else hover(nearestTo(x, y, REACH), x, y);
});
over.addEventListener("pointerup", (event) => {
  const shape = lasso;
  drag = lasso = null;
  if (!shape) return;
  if (shape.length < 8) {
    const row = nearestTo(...spot(event), REACH);
    if (row >= 0) tell("open", { row });
    else if (store.count) select([]);
    drawOver();
    return;
  }
  performance.mark("lasso closed");
  const rows = inside(shape);
  select(event.shiftKey ? [...new Set([...selectedRows(), ...rows])] : rows);
  requestAnimationFrame(() => requestAnimationFrame(() => performance.measure("selection", "lasso closed")));
});
over.addEventListener("pointerleave", () => (tip.hidden = true));
field.addEventListener("wheel", (event) => {
  if (!store.places) return;
  event.preventDefault();
  zoomAt(...spot(event), Math.exp(-event.deltaY / 400));
}, { passive: false });

function hover(row, x, y) {
  tip.hidden = row < 0;
  if (row < 0) return;
  const code = store.codes[row];
  const guess = store.predicted && code < 0 ? ` · probe: ${nameOf(store.predicted[row])} ${Math.round(store.confidence[row] / 2.55)} %` : "";
  tip.textContent = `${thumbName(row)}${code >= 0 ? ` · ${nameOf(code)}` : guess}`;
  tip.style.left = `${Math.min(x + 12, Math.max(width - tip.offsetWidth - 4, 0))}px`;
  tip.style.top = `${Math.max(y - 30, 2)}px`;
}

function zoomAt(x, y, factor) {
  const zoom = Math.min(Math.max(view.zoom * factor, 1), 200);
  const w = width - 2 * EDGE, h = height - 2 * EDGE;
  const at = [view.x + (x - width / 2) / (w * view.zoom), view.y + (y - height / 2) / (h * view.zoom)];
  view = { zoom, x: at[0] - (x - width / 2) / (w * zoom), y: at[1] - (y - height / 2) / (h * zoom) };
  if (zoom === 1) view = { x: 0.5, y: 0.5, zoom };
  place();
  redraw();
}

export function whole() {
  view = { x: 0.5, y: 0.5, zoom: 1 };
  place();
  redraw();
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The nearest point within 45 degrees of a direction.
function next(from, [dx, dy]) {
  let best = from, least = Infinity;
  for (let i = 0; i < xs.length; i++) {
    const a = xs[i] - xs[from], b = ys[i] - ys[from];
    const ahead = a * dx + b * dy, aside = Math.abs(a * dy) + Math.abs(b * dx);
    if (ahead <= 0.5 || aside > ahead) continue;
    const d = ahead + 2 * aside;
    if (d < least) [least, best] = [d, i];
  }
  return best;
}

export const keys = {
  way(name) {
    if (!store.places) return;
    cursor = cursor < 0 ? Math.max(store.row, 0) : next(cursor, WAYS[name]);
    if (xs[cursor] < 0 || ys[cursor] < 0 || xs[cursor] > width || ys[cursor] > height) {
      view.x += (xs[cursor] - width / 2) / ((width - 2 * EDGE) * view.zoom);
      view.y += (ys[cursor] - height / 2) / ((height - 2 * EDGE) * view.zoom);
      place();
      redraw();
    }
    hover(cursor, xs[cursor], ys[cursor]);
    tell("say", tip.textContent);
    drawOver();
  },
  open: () => cursor >= 0 && tell("open", { row: cursor }),
  toggle() {
    if (cursor < 0) return;
    const rows = new Set(selectedRows());
    if (!rows.delete(cursor)) rows.add(cursor);
    select([...rows]);
  },
  cursor: () => cursor,
  zoom: (factor) => (cursor >= 0 ? zoomAt(xs[cursor], ys[cursor], factor) : zoomAt(width / 2, height / 2, factor)),
};
