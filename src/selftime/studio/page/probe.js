// The probe: how often it is right, by how many labels, and the series that are worth a look.

import { on, store, tell } from "./store.js";
import { nameOfRow, looks } from "./thumbs.js";

const $ = (id) => document.getElementById(id);
const SHOWN = 8;
const percent = (share) => `${Math.round(100 * share)} %`;
const NS = "http://www.w3.org/2000/svg";

export function start() {
  for (const name of ["state", "current"]) on(name, draw);
}

function draw() {
  const probe = store.state?.probe ?? {}, judged = probe.judged;
  const stale = judged && judged.version !== store.state.labels.version;
  const right = judged?.accuracy !== undefined;
  $("accuracy").textContent = right ? percent(judged.accuracy) : "–";
  $("interval").textContent = right
    ? `right of ${judged.judged} held out, ${percent(judged.low)} to ${percent(judged.high)}`
    : (probe.classes ?? 0) < 2 ? "Label series of two classes, and the probe begins." : `Judged from ${judged?.wanted ?? 10} labels on, in classes of two or more; there are ${judged?.judged ?? 0}.`;
  const words = [];
  if (right) words.push(`${judged.folds} folds${judged.whole ? ", recordings whole" : ""}`);
  if (probe.drawn) words.push(`learned from ${probe.labels.toLocaleString("en")} labels, drawn class by class`);
  if (stale) words.push("learning …");
  if (probe.problem) words.push(probe.problem);
  $("probe-facts").textContent = words.join(" · ");
  curve(judged?.curve ?? []);
  lists(probe, judged);
}

function curve(all) {
  const svg = $("curve");
  svg.replaceChildren();
  if (!all.length) return;
  const most = Math.max(...all.map((one) => one.labels)), least = Math.min(...all.map((one) => one.labels));
  const x = (labels) => 24 + (most > least ? (labels - least) / (most - least) : 0.5) * 168;
  const y = (share) => 72 - share * 66;
  const add = (name, given, text) => {
    const node = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(given)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    svg.append(node);
  };
  for (const share of [0, 0.5, 1]) {
    add("path", { class: "axis", d: `M24 ${y(share)}H196` });
    add("text", { x: 20, y: y(share) + 3, "text-anchor": "end" }, String(100 * share));
  }
  const forth = all.map((one) => `${x(one.labels)} ${y(one.high)}`), back = all.map((one) => `${x(one.labels)} ${y(one.low)}`).reverse();
  add("path", { class: "band", d: `M${[...forth, ...back].join("L")}z` });
  add("path", { class: "line", d: `M${all.map((one) => `${x(one.labels)} ${y(one.accuracy)}`).join("L")}` });
  const last = all.at(-1);
  add("circle", { class: "dot", cx: x(last.labels), cy: y(last.accuracy), r: 3 });
  add("text", { x: x(least), y: 86, "text-anchor": most > least ? "start" : "middle" }, `${least}`);
  if (most > least) add("text", { x: x(most), y: 86, "text-anchor": "end" }, `${most} labels`);
  svg.setAttribute("aria-label", `Accuracy by labels: ${all.map((one) => `${one.labels} labels ${percent(one.accuracy)}`).slice(-6).join(", ")}`);
}

function lists(probe, judged) {
  const groups = [
    ["Next to label", store.queue.map(([row, words]) => ({ row, words })), true],
    ["Least sure", probe.unsure ?? [], false],
    ["Worth a second look", judged?.doubts ?? [], false],
  ];
  const rows = groups.flatMap(([, list]) => list.slice(0, SHOWN).map((one) => one.row));
  looks(rows).then(() => {
    const focused = document.activeElement?.dataset?.place;
    $("lists").replaceChildren(...groups.filter(([, list]) => list.length).map(([title, list, queued], g) => group(title, list.slice(0, SHOWN), queued, g)));
    if (focused) $("lists").querySelector(`[data-place="${focused}"]`)?.focus({ preventScroll: true });
  });
}

function group(title, list, queued, g) {
  const box = document.createElement("section"), head = document.createElement("h3"), items = document.createElement("ul");
  head.textContent = title;
  list.forEach(({ row, words }, k) => {
    const item = document.createElement("li"), button = document.createElement("button");
    const n = document.createElement("span"), name = document.createElement("span"), small = document.createElement("small");
    button.type = "button";
    button.dataset.place = `${g}-${k}`;
    if (row === store.row) button.setAttribute("aria-current", "true");
    n.className = "n";
    n.textContent = k + 1;
    name.textContent = nameOfRow(row);
    small.textContent = words;
    button.append(n, name, small);
    button.addEventListener("click", () => tell("open", { row, queued }));
    item.append(button);
    items.append(item);
  });
  box.append(head, items);
  return box;
}
