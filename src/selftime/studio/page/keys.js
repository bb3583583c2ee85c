// Keys: one table of what each does, from which the help sheet is made as well.

import * as labels from "./labels.js";
import * as map from "./map.js";
import * as overview from "./overview.js";
import * as series from "./series.js";
import { select, selectedRows, store, tell } from "./store.js";
import { json } from "./api.js";

const $ = (id) => document.getElementById(id);
const within = (id) => $(id).contains(document.activeElement);
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

async function grow() {
  const rows = new Set(selectedRows());
  const from = map.keys.cursor() >= 0 ? map.keys.cursor() : store.row;
  rows.add(from);
  for (const hit of await json("alike", { row: from, k: 12 })) rows.add(hit.row);
  select([...rows]);
  tell("say", `${rows.size} selected`);
}

function escape() {
  if (within("plot")) series.keys.letGo();
  if (store.count) {
    select([]);
    tell("say", "Nothing is selected");
  }
}

// where, keys as they are shown, keys as events name them, words, what is done
const TABLE = [
  ["Labels", "1 – 9", /^[1-9]$/, "label with a class; all that is selected, if anything is", (e) => labels.labelKey(Number(e.key))],
  ["Labels", "n", /^n$/, "a new class", () => tell("ask name")],
  ["Labels", "s", /^s$/, "skip, and go to the next", () => labels.skip()],
  ["Labels", "x", /^x$/, "clear the label", () => labels.clear()],
  ["Labels", "u, Ctrl Z", /^u$/, "undo", () => labels.undo()],
  ["Labels", "U, Ctrl Y", /^U$/, "redo", () => labels.undo("redo")],
  ["Go", "q", /^q$/, "to what is next to label", () => labels.next()],
  ["Go", "[ ]", /^[[\]]$/, "back and forth among the series that were seen", (e) => (e.key === "[" ? labels.back() : labels.forth())],
  ["Go", "/", /^\/$/, "find a series by its name", () => tell("ask find")],
  ["Go", "m", /^m$/, "to the map", () => $("map").focus()],
  ["Go", "p", /^p$/, "to the curves", () => $(store.about.curves ? "plot" : "series").focus()],
  ["Go", "o", /^o$/, "to all series", () => $("grid").focus()],
  ["Go", "l", /^l$/, "to the lists of the probe", () => document.querySelector("#lists button")?.focus()],
  ["Show", "f", /^f$/, "what comes next in the recording, with bands", () => series.toggleForecast()],
  ["Show", "a", /^a$/, "what is odd in the recording", () => series.toggleAnomalies()],
  ["Show", "c", /^c$/, "the map by labels, or by what the probe says", () => tell("colouring")],
  ["Show", "e", /^e$/, "export the labels", () => tell("export")],
  ["Show", "?", /^\?$/, "this sheet", () => $("help-dialog").showModal()],
  ["Show", "Esc", /^Escape$/, "let go of a span or a selection", escape],
];
const PLACES = [
  ["Map", "map", [
    ["arrows", new RegExp(`^(${ARROWS.join("|")})$`), "to the nearest point that way", (e) => map.keys.way(e.key)],
    ["Enter", /^Enter$/, "look at it", () => map.keys.open()],
    ["Space", /^ $/, "select it, or let it go", () => map.keys.toggle()],
    ["g", /^g$/, "select it and what is most like it", grow],
    ["+ − 0", /^[-+=0]$/, "zoom", (e) => (e.key === "0" ? map.whole() : map.keys.zoom(e.key === "-" ? 1 / 1.6 : 1.6))],
  ]],
  ["Curves", "plot", [
    ["← →", /^Arrow(Left|Right)$/, "move the view, or the span; with shift the end of the span", (e) => series.keys.way(e.key, e.shiftKey)],
    ["Space", /^ $/, "begin a span, or let it go", () => series.keys.span()],
    ["Enter", /^Enter$/, "neighbours of the span, everywhere", () => series.neighbours()],
    ["+ −", /^[-+=]$/, "zoom", (e) => series.keys.zoom(e.key === "-" ? 1.6 : 1 / 1.6)],
  ]],
  ["All series", "grid", [
    ["arrows, pages", /^(Arrow\w+|PageUp|PageDown|Home|End)$/, "move", (e) => overview.keys.way(e.key)],
    ["Enter", /^Enter$/, "look at it", () => overview.keys.open()],
    ["Space", /^ $/, "select it, or let it go", () => overview.keys.toggle()],
  ]],
];

function sheet() {
  const titles = [...new Set(TABLE.map(([title]) => title))].map((title) => [title, TABLE.filter(([own]) => own === title).map(([, shown, , words]) => [shown, words])]);
  const places = PLACES.map(([title, , rows]) => [`${title}, when it has the focus`, rows.map(([shown, , words]) => [shown, words])]);
  $("help").replaceChildren(...[...titles, ...places].map(([title, rows]) => {
    const box = document.createElement("section"), head = document.createElement("h3"), list = document.createElement("dl");
    head.textContent = title;
    for (const [shown, words] of rows) {
      const key = document.createElement("dt"), text = document.createElement("dd"), kbd = document.createElement("kbd");
      kbd.textContent = shown;
      key.append(kbd);
      text.textContent = words;
      list.append(key, text);
    }
    box.append(head, list);
    return box;
  }));
}

export function start() {
  sheet();
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if ((event.ctrlKey || event.metaKey) && /^[zZyY]$/.test(event.key)) {
      event.preventDefault();
      return labels.undo(event.key === "z" && !event.shiftKey ? "undo" : "redo");
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const place = PLACES.find(([, id]) => within(id));
    for (const [, keys, , does] of place?.[2] ?? []) {
      if (keys.test(event.key)) {
        event.preventDefault();
        return does(event);
      }
    }
    for (const [, , keys, , does] of TABLE) {
      if (keys.test(event.key)) {
        event.preventDefault();
        return does(event);
      }
    }
  });
}
