// Labels: the classes, what keys label, and which series comes next.

import * as outbox from "./outbox.js";
import { markOf, shapeName } from "./marks.js";
import { nameOf, on, select, selectedRows, store, tell } from "./store.js";

const $ = (id) => document.getElementById(id);
const past = [];
let ahead = [];
let waits = false; // for the queue

export function start() {
  for (const name of ["classes", "codes", "selection", "current"]) on(name, draw);
  on("queue", () => {
    if (waits || store.row < 0) next();
    draw();
  });
}

const targets = () => (store.count ? selectedRows() : store.row >= 0 ? [store.row] : []);

function draw() {
  const { row, classes, codes } = store;
  const some = store.count;
  const words = some
    ? `Keys label <b>${some.toLocaleString("en")} selected series</b>; escape lets them go`
    : row < 0 ? "" : codes[row] >= 0 ? `Labelled <b></b>` : codes[row] === -2 ? "Skipped, without a label" : "Without a label";
  $("label-target").innerHTML = words;
  if (!some && row >= 0 && codes[row] >= 0) $("label-target").firstElementChild.textContent = nameOf(codes[row]);
  const focused = document.activeElement?.dataset?.code;
  const buttons = classes.map((one, code) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.code = code;
    button.setAttribute("aria-pressed", !some && row >= 0 && codes[row] === code);
    button.title = `${one.name} (${shapeName(code)})`;
    if (code < 9) {
      const key = document.createElement("kbd");
      key.textContent = code + 1;
      button.append(key);
    }
    const name = document.createElement("span"), count = document.createElement("i");
    name.textContent = one.name;
    count.textContent = one.count.toLocaleString("en");
    button.append(markOf(code), name, count);
    button.addEventListener("click", () => label(one.name));
    return button;
  });
  $("classes").replaceChildren(...buttons);
  if (focused !== undefined) buttons[focused]?.focus({ preventScroll: true });
  $("undo").disabled = !store.state?.labels.undo;
  $("undo").title = store.state?.labels.undo ?? "";
  $("clear").disabled = !targets().some((one) => codes[one] >= 0);
  const place = store.queue.findIndex(([one]) => one === row);
  $("why").textContent = "";
  if (place >= 0) {
    const lead = document.createElement("b");
    lead.textContent = "Next to label: ";
    $("why").append(lead, store.queue[place][1]);
  } else if (row >= 0 && store.predicted && codes[row] < 0) {
    $("why").textContent = `The probe says ${nameOf(store.predicted[row])} (${Math.round(store.confidence[row] / 2.55)} %)`;
  } else if (row >= 0 && store.predicted && codes[row] >= 0 && store.predicted[row] !== codes[row]) {
    $("why").textContent = `The probe says ${nameOf(store.predicted[row])}`;
  } else if (waits) $("why").textContent = "Thinking about what is next …";
  $("back").disabled = past.length < 2;
  $("forth").disabled = !ahead.length;
}

// Change what the page knows at once; the server is told by the outbox.
export function label(name) {
  const rows = targets();
  if (!rows.length) return;
  let code = store.classes.findIndex((one) => one.name === name);
  if (code < 0) code = store.classes.push({ name, count: 0 }) - 1;
  apply(rows, code);
  outbox.add({ kind: "label", rows, label: name });
  tell("say", `${rows.length === 1 ? "Labelled" : `${rows.length} labelled`} ${name}`);
  after(rows);
}

export function labelKey(k) {
  const one = store.classes[k - 1];
  if (one) label(one.name);
  else tell("say", `There is no class ${k} yet: n makes one`);
}

export function clear() {
  const rows = targets().filter((row) => store.codes[row] >= 0);
  if (!rows.length) return;
  apply(rows, -1);
  outbox.add({ kind: "clear", rows });
  tell("say", "Label cleared");
}

export function skip() {
  if (store.row < 0) return;
  const row = store.row;
  if (store.codes[row] < 0) apply([row], -2);
  outbox.add({ kind: "skip", rows: [row] });
  tell("say", "Skipped");
  next();
}

export function undo(kind = "undo") {
  if (!store.state?.labels[kind] && !outbox.count()) return tell("say", `There is nothing to ${kind}`);
  outbox.add({ kind });
}

function apply(rows, code) {
  for (const row of rows) {
    const before = store.codes[row];
    if (before >= 0) store.classes[before].count--;
    store.codes[row] = code;
    if (code >= 0) store.classes[code].count++;
  }
  tell("codes");
}

function after(rows) {
  if (store.count) return select([]);
  if (rows.length === 1 && store.queued) next();
}

// Go to the first series of the queue that is still without a label.
export function next() {
  const found = store.queue.find(([row]) => store.codes[row] === -1 && row !== store.row)
    ?? store.queue.find(([row]) => store.codes[row] < 0 && row !== store.row);
  waits = !found;
  if (found) tell("open", { row: found[0], queued: true });
  else if (store.row < 0 && store.N) tell("open", { row: 0, queued: true });
  else draw();
}

export function visit(row) {
  if (past.at(-1) === row) return;
  past.push(row);
  ahead = [];
}

export function back() {
  if (past.length < 2) return;
  ahead.push(past.pop());
  tell("open", { row: past.at(-1), quiet: true });
}

export function forth() {
  if (!ahead.length) return;
  past.push(ahead.pop());
  tell("open", { row: past.at(-1), quiet: true });
}
