// How series look among others: asked for in groups, and kept while they may be needed again.

import { json } from "./api.js";
import { drawThumb } from "./curves.js";
import { markOf } from "./marks.js";
import { nameOf, store } from "./store.js";

const MOST = 6000, GROUP = 128;
const kept = new Map();
const asked = new Map();
let wanted = new Set(), timer = 0;

export const peek = (row) => kept.get(row);
export const nameOfRow = (row) => kept.get(row)?.name ?? `series ${row + 1}`;

// The looks of some rows, once they are here.
export async function looks(rows) {
  for (const row of rows) if (!kept.has(row) && !asked.has(row)) wanted.add(row);
  if (wanted.size && !timer) timer = setTimeout(fetchWanted, 12);
  if (timer) await new Promise((done) => setTimeout(done, 14));
  await Promise.all(rows.map((row) => asked.get(row)));
  return rows.map((row) => kept.get(row));
}

function fetchWanted() {
  timer = 0;
  const rows = [...wanted];
  wanted = new Set();
  for (let k = 0; k < rows.length; k += GROUP) {
    const some = rows.slice(k, k + GROUP);
    const come = json("thumbs", { rows: some.join(",") }).then((found) => {
      for (const look of found) kept.set(look.row, look);
      while (kept.size > MOST) kept.delete(kept.keys().next().value);
    }).catch(() => {}).finally(() => some.forEach((row) => asked.delete(row)));
    some.forEach((row) => asked.set(row, come));
  }
}

// Show a series in a box of its own: curves, a picture, or a text.
export function show(box, look, width, height) {
  let sight = box.firstElementChild;
  const wants = look.levels !== undefined ? "CANVAS" : look.picture ? "IMG" : "P";
  if (!sight || sight.tagName !== wants) {
    sight?.remove();
    sight = document.createElement(wants);
    if (wants === "P") sight.className = "symbols";
    box.prepend(sight);
  }
  if (wants === "CANVAS") drawThumb(sight, look, width, height);
  else if (wants === "IMG") {
    sight.alt = "";
    sight.className = look.look;
    sight.src = look.picture;
  } else sight.textContent = look.text;
}

// The line below a small series: the mark of its class, a name, and a word more.
export function caption(row, text, more = "") {
  const line = document.createElement("span");
  line.className = "caption";
  const code = store.codes[row];
  if (code >= 0) line.append(markOf(code));
  const name = document.createElement("span");
  name.textContent = code >= 0 ? `${nameOf(code)} · ${text}` : text;
  line.append(name);
  if (more) {
    const word = document.createElement("em");
    word.textContent = more;
    line.append(word);
  }
  return line;
}
