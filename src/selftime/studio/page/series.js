// The series that is looked at: its curves, spans of it, what comes next, what is odd, what is alike.

import { json } from "./api.js";
import { decode, drawLanes, drawWhole } from "./curves.js";
import { on, store, tell } from "./store.js";
import { caption, looks, nameOfRow, show } from "./thumbs.js";

const $ = (id) => document.getElementById(id);
const plot = $("plot"), all = $("whole"), sight = $("sight");
const ALIKE = 8, HITS = 12, SHORTEST = 8;

let entry = null; // facts of the series that is looked at
let view = null; // the recording, and the steps in view
let look = null, whole = null; // curves in view, and of the whole recording
let span = null, forecast = null, anomalies = null;
let drawn = null; // how pixels and steps belong together
let ticket = 0, curveTicket = 0, timer = 0;

let pending = "";

export function start() {
  on("state", () => {
    const [what, done, of] = store.state.work ?? [];
    if (pending && what) reading(`${pending}: ${what} ${Math.round((100 * done) / of)} %`);
  });
  new ResizeObserver(draw).observe(sight);
  on("theme", draw);
  on("codes", draw);
}

// Look at a series; `part` is a span of its recording to look at first.
export async function open(row, part) {
  const own = ++ticket;
  const found = await json(`entries/${row}`);
  if (own !== ticket) return;
  const same = entry && entry.recording === found.recording;
  entry = found;
  span = part ?? null;
  if (!same) [forecast, anomalies, whole] = [null, null, null];
  press();
  $("series-name").textContent = found.name;
  const words = [found.extent];
  if (found.recording_length > found.length) words.push(`steps ${found.first.toLocaleString("en")} to ${(found.first + found.length - 1).toLocaleString("en")} of ${found.recording_length.toLocaleString("en")} in ${found.recording_name}`);
  if (store.about.channels.length > 1 && store.about.curves) words.push(`${store.about.channels.length + store.about.more_channels} channels${store.about.more_channels ? `, ${store.about.channels.length} shown` : ""}`);
  $("series-facts").textContent = words.join(" · ");
  const curves = store.about.curves;
  plot.hidden = !curves;
  $("picture").hidden = curves || !found.picture;
  $("text").hidden = curves || Boolean(found.picture);
  for (const id of ["forecast", "anomalies"]) $(id).hidden = !curves;
  if (!curves) {
    $("picture").className = found.look ?? "";
    if (found.picture) $("picture").src = found.picture;
    $("picture").alt = found.picture ? `${found.name}, ${found.extent}. ${store.about.legend}` : "";
    $("text").textContent = found.text ?? "";
    $("reading").textContent = store.about.legend;
    all.hidden = true;
    alike(own);
    return;
  }
  const isPart = found.recording_length > found.length;
  const around = isPart ? Math.round(found.length / 2) : 0;
  const [from, to] = part ? [part[0] - (part[1] - part[0]), part[1] + (part[1] - part[0])] : [found.first - around, found.first + found.length + around];
  look_at(from, to);
  all.hidden = !isPart && found.recording_length < 1000;
  if (!all.hidden && !whole) {
    json("curve", { recording: found.recording, start: 0, stop: found.recording_length, points: 1200 }).then((curve) => {
      if (own === ticket) whole = curve;
      draw();
    });
  }
  if (part) neighbours();
  else alike(own);
}

function look_at(start, stop) {
  const T = entry.recording_length;
  const length = Math.min(Math.max(stop - start, Math.min(SHORTEST, T)), T);
  const first = Math.round(Math.min(Math.max(start, 0), T - length));
  view = { recording: entry.recording, start: first, stop: Math.round(first + length) };
  clearTimeout(timer);
  timer = setTimeout(fetchCurve, look && look.recording === view.recording ? 30 : 0);
}

async function fetchCurve() {
  const own = ++curveTicket, asked = view;
  const found = await json("curve", { recording: asked.recording, start: asked.start, stop: asked.stop });
  if (own !== curveTicket) return;
  look = { ...found, recording: asked.recording };
  draw();
  performance.mark("series drawn");
}

export function draw() {
  if (!store.about?.curves || !look || !entry) return;
  const width = sight.clientWidth, C = look.ends.length;
  if (!width) return;
  const wide = matchMedia("(min-width: 1000px)").matches;
  const room = wide ? Math.max(sight.clientHeight - 2, 120) : C === 1 ? 210 : Math.min(C * 56, 420);
  const own = entry.recording_length > entry.length ? [entry.first, entry.first + entry.length] : null;
  drawn = drawLanes(plot, look, look, width, room, { forecast, anomalies, window: own, span });
  const words = [`${entry.name}: ${C === 1 ? "one channel" : `${C} channels`}, ${look.stop - look.start} steps in view`];
  if (forecast) words.push(`forecast of ${forecast.horizon} steps with bands of 80 and 95 %`);
  if (anomalies) words.push(`${anomalies.alarms.length} anomalies`);
  if (span) words.push(`span from step ${span[0]} to ${span[1] - 1}`);
  plot.setAttribute("aria-label", words.join(", "));
  if (!all.hidden && whole) {
    const marks = whole.entries.filter(([row]) => store.codes[row] >= 0).map(([row, first, length]) => [first, first + length, store.codes[row]]);
    drawWhole(all, whole, look, all.clientWidth, { marks, anomalies });
  }
  $("span-button").hidden = !span;
}

function press() {
  $("forecast").setAttribute("aria-pressed", Boolean(forecast));
  $("anomalies").setAttribute("aria-pressed", Boolean(anomalies));
}

const reading = (text) => ($("reading").textContent = text);

export async function toggleForecast() {
  if (!entry || !store.about.curves) return;
  if (forecast) {
    forecast = null;
    reading("");
  } else {
    const own = ticket;
    reading((pending = "Forecasting"));
    try {
      const found = await json("forecast", { recording: entry.recording });
      pending = "";
      if (own !== ticket) return;
      forecast = { ...found, from: entry.recording_length };
      reading(`${found.horizon} steps ahead, bands of 80 and 95 %; ${[found.about, ...found.notes].join("; ")}`);
      if (view.stop < entry.recording_length) look_at(entry.recording_length - 5 * found.horizon, entry.recording_length);
    } catch (error) {
      pending = "";
      reading(error.message);
    }
  }
  press();
  draw();
}

export async function toggleAnomalies() {
  if (!entry || !store.about.curves) return;
  if (anomalies) {
    anomalies = null;
    reading("");
  } else {
    const own = ticket;
    reading((pending = "Looking for anomalies"));
    try {
      const found = await json("anomalies", { recording: entry.recording });
      pending = "";
      if (own !== ticket) return;
      anomalies = found;
      const n = found.alarms.length, first = found.alarms[0];
      reading(`${n || "no"} ${n === 1 ? "anomaly" : "anomalies"} after the first ${found.normal.toLocaleString("en")} steps, which count as normal${first ? `; the first at ${first.start_time ?? `step ${first.start.toLocaleString("en")}`}` : ""}`);
    } catch (error) {
      pending = "";
      reading(error.message);
    }
  }
  press();
  draw();
}

// What is alike: of a whole series, and of a span of a recording.
async function alike(own) {
  strip("Most like it", []);
  if (!store.state?.ready) return;
  try {
    const hits = await json("alike", { row: entry.row, k: ALIKE });
    if (own === ticket) strip("Most like it", hits);
  } catch (error) {
    if (own === ticket) strip(`Most like it: ${error.message}`, []);
  }
}

export const again = () => entry && !span && alike(ticket);

export async function neighbours() {
  if (!span || !entry) return;
  const own = ticket, [start, stop] = span;
  strip("Looking for neighbours of the span …", []);
  tell("say", "Looking for neighbours of the span");
  try {
    const hits = await json("neighbours", { recording: entry.recording, start, stop, k: HITS });
    if (own !== ticket) return;
    strip(`Neighbours of steps ${start.toLocaleString("en")} to ${(stop - 1).toLocaleString("en")}, everywhere`, hits, true);
    tell("say", `${hits.length} neighbours of the span`);
  } catch (error) {
    strip(error.message, []);
  }
}

async function strip(title, hits, isSpan = false) {
  $("alike-title").textContent = title;
  const boxes = hits.map((hit) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", nameOfRow(hit.row)); // until it is drawn
    button.addEventListener("click", () => tell("open", { row: hit.row, part: isSpan && !store.about.windows ? [hit.start, hit.stop] : null }));
    item.append(button);
    return item;
  });
  $("alike").replaceChildren(...boxes);
  if (!hits.length) return;
  const sights = await Promise.all(hits.map((hit) => lookOf(hit, isSpan)));
  boxes.forEach((box, k) => {
    const button = box.firstChild, hit = hits[k];
    if (!sights[k]) return;
    show(button, sights[k], button.clientWidth - 4, 50);
    const where = isSpan && !store.about.windows ? `${sights[k].name} @ ${hit.start.toLocaleString("en")}` : sights[k].name;
    button.append(caption(hit.row, where, hit.similarity.toFixed(2)));
    button.setAttribute("aria-label", `${where}, similarity ${hit.similarity.toFixed(2)}`);
  });
}

async function lookOf(hit, isSpan) {
  const [own] = await looks([hit.row]);
  if (!isSpan || store.about.windows || !own) return own;
  const part = await json("curve", { recording: hit.recording, start: hit.start, stop: hit.stop, points: 96 });
  return { ...part, name: own.name };
}

// Spans and views by pointer.
let from = null;
const stepOf = (event) => {
  const step = drawn.stepAt(event.clientX - plot.getBoundingClientRect().left);
  return Math.min(Math.max(step, look.start), look.stop - 1);
};
plot.addEventListener("pointerdown", (event) => {
  if (!drawn || event.button) return;
  plot.setPointerCapture(event.pointerId);
  from = stepOf(event);
});
plot.addEventListener("pointermove", (event) => {
  if (!drawn || !look) return;
  const step = stepOf(event);
  if (from === null) return tipOf(step);
  span = Math.abs(step - from) < 2 ? null : [Math.min(from, step), Math.max(from, step) + 1];
  draw();
});
plot.addEventListener("pointerup", () => {
  if (from === null) return;
  from = null;
  if (span && span[1] - span[0] >= 3) neighbours();
  else letGo();
});
plot.addEventListener("wheel", (event) => {
  if (!drawn || !event.ctrlKey) return;
  event.preventDefault();
  zoom(Math.exp(event.deltaY / 300), stepOf(event));
}, { passive: false });

function tipOf(step) {
  const levels = look.bytes ?? decode(look.levels), C = look.ends.length, n = levels.length / C;
  const k = Math.round(((step - look.start) / Math.max(look.stop - look.start - 1, 1)) * (n - 1));
  const values = look.ends.slice(0, 4).map(([low, high], c) => {
    const v = levels[c * n + k];
    return v === 255 ? "missing" : Number((low + ((high - low) * v) / 254).toPrecision(3));
  });
  reading(`step ${step.toLocaleString("en")}: ${values.join(", ")}${C > 4 ? ", …" : ""}`);
}

let dragging = false;
const move = (event) => {
  const box = all.getBoundingClientRect(), half = (view.stop - view.start) / 2;
  const at = ((event.clientX - box.left) / box.width) * entry.recording_length;
  look_at(at - half, at + half);
};
all.addEventListener("pointerdown", (event) => {
  all.setPointerCapture(event.pointerId);
  dragging = true;
  move(event);
});
all.addEventListener("pointermove", (event) => dragging && move(event));
all.addEventListener("pointerup", () => (dragging = false));

function zoom(factor, at = (view.start + view.stop) / 2) {
  const length = (view.stop - view.start) * factor, share = (at - view.start) / (view.stop - view.start);
  look_at(at - share * length, at - share * length + length);
}

function letGo() {
  if (!span) return;
  span = null;
  draw();
  alike(ticket);
}

export const keys = {
  way(name, wider) {
    if (!view) return;
    const step = Math.max(1, Math.round((view.stop - view.start) / 24)), sign = name === "ArrowLeft" ? -1 : 1;
    if (!span) return look_at(view.start + sign * step, view.stop + sign * step);
    const T = entry.recording_length;
    if (wider) span = [span[0], Math.min(Math.max(span[1] + sign * step, span[0] + 3), T)];
    else {
      const by = Math.min(Math.max(sign * step, -span[0]), T - span[1]);
      span = [span[0] + by, span[1] + by];
    }
    if (span[0] < view.start || span[1] > view.stop) look_at(view.start + sign * step, view.stop + sign * step);
    tell("say", `span from ${span[0]} to ${span[1] - 1}`);
    draw();
  },
  span() {
    if (!view) return;
    const length = view.stop - view.start;
    span = span ? null : [Math.round(view.start + 0.375 * length), Math.max(Math.round(view.start + 0.625 * length), Math.round(view.start + 0.375 * length) + 3)];
    if (span) span[1] = Math.min(span[1], entry.recording_length);
    tell("say", span ? `span from ${span[0]} to ${span[1] - 1}` : "no span");
    draw();
  },
  letGo,
  zoom: (factor) => view && zoom(factor),
};
