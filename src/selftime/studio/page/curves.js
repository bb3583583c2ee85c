// Curves on canvases: series among others, small, and by themselves, a lane for each channel.

import { colour } from "./marks.js";
import { store } from "./store.js";

const MOST_LINES = 4; // with more channels, small pictures are heat maps
const MISSING = 255;
const DASHES = [[], [4, 2], [1.5, 1.5], [6, 2, 1.5, 2]];

export function decode(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

// Bring a canvas to the size at which it is shown; everything is then drawn in CSS pixels.
export function fit(canvas, width, height) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return ctx;
}

// The share of its range at which a value stands, for channel c of curves.
function shares(look, c, range) {
  const [low, high] = look.ends[c];
  const [from, to] = range;
  const scale = (high - low) / 254 / (to - from), shift = (low - from) / (to - from);
  return (level) => shift + level * scale;
}

function trace(ctx, levels, share, left, top, width, height) {
  const n = levels.length;
  const x = (k) => left + (n > 1 ? (k / (n - 1)) * width : width / 2);
  const y = (v) => top + height * (1 - Math.min(Math.max(share(v), -0.08), 1.08));
  ctx.beginPath();
  let pen = false;
  for (let k = 0; k < n; k++) {
    if (levels[k] === MISSING) {
      pen = false;
      continue;
    }
    if (pen) ctx.lineTo(x(k), y(levels[k]));
    else {
      ctx.moveTo(x(k), y(levels[k]));
      if (k === n - 1 || levels[k + 1] === MISSING) ctx.lineTo(x(k) + 1.2, y(levels[k])); // a dot
    }
    pen = true;
  }
  ctx.stroke();
}

const mix = (a, b, s) => a.map((v, k) => Math.round(v + (b[k] - v) * s));
const LOW = [44, 98, 168], MIDDLE = [236, 234, 226], HIGH = [190, 62, 20];
function heat(share) {
  const s = Math.min(Math.max(share, 0), 1);
  return s < 0.5 ? mix(LOW, MIDDLE, 2 * s) : mix(MIDDLE, HIGH, 2 * s - 1);
}

const rangeOf = (look, c, own) => {
  const [low, high] = own ? look.ends[c] : store.about.ranges[c];
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
};

// A series among others: lines over one another, or a heat map of many channels.
export function drawThumb(canvas, look, width, height) {
  const ctx = fit(canvas, width, height);
  const C = look.ends.length, levels = look.bytes ?? (look.bytes = decode(look.levels));
  const n = levels.length / C, own = store.scale === "own";
  if (C > MOST_LINES) {
    const image = new ImageData(n, C);
    for (let c = 0; c < C; c++) {
      const share = shares(look, c, rangeOf(look, c, own));
      for (let k = 0; k < n; k++) {
        const v = levels[c * n + k];
        const [r, g, b] = v === MISSING ? [128, 128, 128] : heat(share(v));
        image.data.set([r, g, b, v === MISSING ? 60 : 255], 4 * (c * n + k));
      }
    }
    const small = new OffscreenCanvas(n, C);
    small.getContext("2d").putImageData(image, 0, 0);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(small, 1, 1, width - 2, height - 2);
    return;
  }
  ctx.lineJoin = "round";
  ctx.lineWidth = 1.1;
  for (let c = C - 1; c >= 0; c--) {
    ctx.strokeStyle = colour(c ? "--soft" : "--strong");
    ctx.setLineDash(DASHES[c]);
    trace(ctx, levels.subarray(c * n, (c + 1) * n), shares(look, c, rangeOf(look, c, own)), 2, 4, width - 4, height - 8);
  }
}

const EDGE = 6, FOOT = 18, HEAD = 8, NAME = 92, ENDS = 46;
function laneHeight(C, room) {
  return Math.max(C > 4 ? 17 : 40, Math.min(240, (room - FOOT - HEAD) / C));
}

const short = (v) => {
  const a = Math.abs(v);
  return v === 0 ? "0" : a >= 1e5 || a < 1e-3 ? v.toExponential(1) : String(Number(v.toPrecision(3)));
};

// The ends between which a lane is drawn: of the curve itself, and of bands behind it.
function laneRange(look, c, forecast) {
  let [low, high] = look.ends[c];
  if (forecast) {
    for (const row of [forecast.quantiles[0][c], forecast.quantiles.at(-1)[c]]) {
      for (const v of row) if (v !== null) [low, high] = [Math.min(low, v), Math.max(high, v)];
    }
  }
  const room = 0.06 * (high - low) || 0.5;
  return [low - room, high + room];
}

// A part of a recording, a lane for each channel. `view` says from which step to which.
export function drawLanes(canvas, look, view, width, room, extra) {
  const C = look.ends.length, lane = laneHeight(C, room), height = HEAD + C * lane + FOOT;
  canvas.style.height = `${height}px`;
  const ctx = fit(canvas, width, height);
  const levels = look.bytes ?? (look.bytes = decode(look.levels)), n = levels.length / C;
  const { forecast, anomalies, window: own, span } = extra;
  const last = view.stop + (forecast && view.stop >= forecast.from ? forecast.horizon : 0);
  const left = C > 1 ? Math.min(NAME, width / 4) : EDGE, right = lane >= 34 ? ENDS : EDGE;
  const plot = width - left - right;
  const x = (step) => left + ((step - view.start) / Math.max(last - view.start - 1, 1)) * plot;
  const bottom = HEAD + C * lane;
  if (own && (own[0] > view.start || own[1] < view.stop)) {
    ctx.fillStyle = colour("--wash");
    ctx.fillRect(left, HEAD, Math.max(x(own[0]) - left, 0), bottom - HEAD);
    ctx.fillRect(x(own[1] - 1), HEAD, Math.max(width - right - x(own[1] - 1), 0), bottom - HEAD);
    ctx.strokeStyle = colour("--edge");
    ctx.lineWidth = 1;
    for (const step of [own[0], own[1] - 1]) line(ctx, x(step), HEAD, x(step), bottom);
  }
  if (anomalies) drawAlarms(ctx, anomalies, x, bottom, view);
  for (let c = 0; c < C; c++) {
    const top = HEAD + c * lane, range = laneRange(look, c, last > view.stop ? forecast : null);
    const share = shares(look, c, range);
    ctx.lineWidth = 1;
    ctx.strokeStyle = colour("--faint");
    line(ctx, left, top + lane - 0.5, width - right, top + lane - 0.5);
    if (last > view.stop) drawBands(ctx, forecast, c, (v) => top + 2 + (lane - 4) * (1 - (v - range[0]) / (range[1] - range[0])), (k) => x(view.stop + k));
    ctx.lineWidth = 1.3;
    ctx.lineJoin = "round";
    ctx.strokeStyle = colour("--ink");
    trace(ctx, levels.subarray(c * n, (c + 1) * n), share, x(view.start), top + 2, x(view.stop - 1) - x(view.start) || plot, lane - 4);
    if (C > 1) caption(ctx, store.about.channels[c], left - 6, top + lane / 2 + 4, "right", left - 8);
    if (lane >= 34) {
      caption(ctx, short(look.ends[c][1]), width - ENDS + 5, top + 10, "left", ENDS);
      caption(ctx, short(look.ends[c][0]), width - ENDS + 5, top + lane - 4, "left", ENDS);
    }
  }
  if (span) drawSpan(ctx, x(span[0]), x(span[1] - 1), bottom);
  ctx.fillStyle = colour("--soft");
  ctx.font = "11px system-ui, sans-serif";
  look.ticks.forEach(([step, text], k) => {
    ctx.textAlign = k === 0 ? "left" : k === look.ticks.length - 1 && last === view.stop ? "right" : "center";
    ctx.fillText(text, Math.min(Math.max(x(step), 2), width - 2), bottom + 13);
  });
  if (last > view.stop) {
    ctx.textAlign = "right";
    ctx.fillText(forecast.last ? forecast.last.replace("T", " ") : `+${forecast.horizon}`, width - 2, bottom + 13);
  }
  return { x, stepAt: (px) => view.start + Math.round(((px - left) / plot) * Math.max(last - view.start - 1, 1)), lane, n, levels };
}

function line(ctx, x0, y0, x1, y1) {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

function caption(ctx, text, x, y, align, most) {
  ctx.font = "11px system-ui, sans-serif";
  ctx.textAlign = align;
  ctx.fillStyle = colour("--soft");
  let shown = text;
  while (shown.length > 2 && ctx.measureText(shown).width > most) shown = `${shown.replace(/…$/, "").slice(0, -1)}…`;
  ctx.fillText(shown, x, y);
}

function drawBands(ctx, forecast, c, y, x) {
  const Q = forecast.quantiles.length, H = forecast.horizon;
  const band = colour("--band");
  for (const [low, high, alpha] of [[0, Q - 1, 0.14], [1, Q - 2, 0.22]]) {
    ctx.beginPath();
    for (let k = 0; k < H; k++) ctx.lineTo(x(k), y(forecast.quantiles[high][c][k]));
    for (let k = H - 1; k >= 0; k--) ctx.lineTo(x(k), y(forecast.quantiles[low][c][k]));
    ctx.closePath();
    ctx.fillStyle = `rgb(${band} / ${alpha})`;
    ctx.fill();
  }
  ctx.strokeStyle = colour("--strong");
  ctx.lineWidth = 1.4;
  ctx.setLineDash([5, 3]);
  ctx.beginPath();
  for (let k = 0; k < H; k++) ctx.lineTo(x(k), y(forecast.mean[c][k]));
  ctx.stroke();
  ctx.setLineDash([]);
}

function drawAlarms(ctx, anomalies, x, bottom, view) {
  for (const alarm of anomalies.alarms) {
    if (alarm.stop <= view.start || alarm.start >= view.stop) continue;
    const left = x(alarm.start), right = Math.max(x(alarm.stop - 1), left + 2);
    ctx.fillStyle = colour("--alarm");
    ctx.globalAlpha = 0.16;
    ctx.fillRect(left, HEAD, right - left, bottom - HEAD);
    ctx.globalAlpha = 1;
    const peak = x(alarm.peak);
    ctx.beginPath(); // a mark at the top, which needs no colour
    ctx.moveTo(peak - 5, 0);
    ctx.lineTo(peak + 5, 0);
    ctx.lineTo(peak, 8);
    ctx.fill();
  }
}

function drawSpan(ctx, left, right, bottom) {
  ctx.fillStyle = `rgb(${colour("--band")} / .18)`;
  ctx.fillRect(left, HEAD, Math.max(right - left, 1), bottom - HEAD);
  ctx.strokeStyle = colour("--strong");
  ctx.lineWidth = 2;
  line(ctx, left, HEAD, left, bottom);
  line(ctx, right, HEAD, right, bottom);
}

// The first channel of a whole recording, with the entries that have a label, and what is in view.
export function drawWhole(canvas, look, view, width, extra) {
  const height = 44, ctx = fit(canvas, width, height);
  const levels = look.bytes ?? (look.bytes = decode(look.levels)), n = levels.length / look.ends.length;
  const x = (step) => (step / Math.max(look.stop - 1, 1)) * width;
  for (const [left, right, code] of extra.marks) {
    ctx.fillStyle = colour(`--c${code % 10}`);
    ctx.fillRect(x(left), height - 6, Math.max(x(right) - x(left), 1.5), 6);
    if (x(right) - x(left) > 9) {
      ctx.fillStyle = colour("--ink");
      ctx.font = "9px system-ui, sans-serif";
      ctx.textAlign = "center";
      ctx.fillText(String(code + 1), (x(left) + x(right)) / 2, height - 8);
    }
  }
  ctx.strokeStyle = colour("--soft");
  ctx.lineWidth = 1;
  const [low, high] = look.ends[0];
  trace(ctx, levels.subarray(0, n), shares(look, 0, high > low ? [low, high] : [low - 1, low + 1]), 0, 4, width, height - 14);
  if (extra.anomalies) {
    ctx.fillStyle = colour("--alarm");
    for (const alarm of extra.anomalies.alarms) {
      ctx.beginPath();
      const peak = x(alarm.peak);
      ctx.moveTo(peak - 3.5, 0);
      ctx.lineTo(peak + 3.5, 0);
      ctx.lineTo(peak, 6);
      ctx.fill();
    }
  }
  ctx.strokeStyle = colour("--strong");
  ctx.lineWidth = 1.5;
  ctx.strokeRect(x(view.start) + 0.75, 0.75, Math.max(x(view.stop) - x(view.start), 3) - 1.5, height - 1.5);
}
