// The mark of a class: a colour and a shape, so that colour is never the only sign.

const COLOURS = 10;
const star = (n, inner) =>
  Array.from({ length: 2 * n }, (_, k) => {
    const r = k % 2 ? inner : 0.5;
    const a = (Math.PI * k) / n - Math.PI / 2;
    return [0.5 + r * Math.cos(a), 0.5 + r * Math.sin(a)];
  });
const t = 0.17;
const plus = [[.5 - t, 0], [.5 + t, 0], [.5 + t, .5 - t], [1, .5 - t], [1, .5 + t], [.5 + t, .5 + t], [.5 + t, 1], [.5 - t, 1], [.5 - t, .5 + t], [0, .5 + t], [0, .5 - t], [.5 - t, .5 - t]];
const turned = plus.map(([x, y]) => [0.5 + ((x - 0.5) - (y - 0.5)) * 0.75, 0.5 + ((x - 0.5) + (y - 0.5)) * 0.75]);
const SHAPES = [
  null, // a circle
  [[.07, .07], [.93, .07], [.93, .93], [.07, .93]],
  [[.5, 0], [1, .95], [0, .95]],
  [[.5, -.05], [1.05, .5], [.5, 1.05], [-.05, .5]],
  [[0, .05], [1, .05], [.5, 1]],
  plus,
  turned,
  star(5, 0.22),
];
const NAMES = ["circle", "square", "triangle", "diamond", "triangle downwards", "plus", "cross", "star"];

export const shapeName = (code) => NAMES[code % SHAPES.length];
export const colourName = (code) => `--c${code % COLOURS}`;

let cache = new Map();
export function colour(name) {
  if (!cache.has(name)) cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return cache.get(name);
}
export function forgetColours() {
  cache = new Map();
}

function path(code) {
  const points = SHAPES[code % SHAPES.length];
  if (!points) return "M0 .5a.5 .5 0 1 0 1 0a.5 .5 0 1 0 -1 0z";
  return "M" + points.map(([x, y]) => `${x} ${y}`).join("L") + "z";
}

// A small picture for legends and captions.
export function markOf(code) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-.1 -.1 1.2 1.2");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(svg.namespaceURI, "path");
  shape.setAttribute("d", path(code));
  shape.style.fill = `var(${colourName(code)})`;
  svg.append(shape);
  return svg;
}

// A mark as pixels to be laid on an image: offsets from its middle, colours and opacities.
export function stamp(code, size, opacity, ratio) {
  const side = Math.ceil(size * ratio) + 4;
  const canvas = new OffscreenCanvas(side, side);
  const ctx = canvas.getContext("2d");
  if (code < 0) {
    ctx.fillStyle = colour("--soft");
    ctx.beginPath();
    ctx.arc(side / 2, side / 2, (size * ratio) / 2, 0, 7);
    ctx.fill();
  } else {
    const own = size * ratio;
    ctx.translate(side / 2 - own / 2, side / 2 - own / 2);
    ctx.scale(own, own);
    const shape = new Path2D(path(code));
    ctx.fillStyle = colour(colourName(code));
    ctx.fill(shape);
    if (size >= 5) {
      ctx.strokeStyle = colour("--ink");
      ctx.lineWidth = ratio / own;
      ctx.stroke(shape);
    }
  }
  const { data } = ctx.getImageData(0, 0, side, side);
  const dx = [], dy = [], rgb = [], alpha = [];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const k = 4 * (y * side + x);
      const a = Math.round((data[k + 3] * opacity * 256) / 255);
      if (a < 8) continue;
      dx.push(x - (side >> 1));
      dy.push(y - (side >> 1));
      rgb.push(data[k], data[k + 1], data[k + 2]);
      alpha.push(a);
    }
  }
  return { dx: Int16Array.from(dx), dy: Int16Array.from(dy), rgb: Uint8Array.from(rgb), alpha: Uint16Array.from(alpha), reach: side };
}
