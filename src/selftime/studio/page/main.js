// The page: what is asked for first, news of the server, and buttons.

import { blob, bytes, json, post } from "./api.js";
import * as keys from "./keys.js";
import * as labels from "./labels.js";
import * as map from "./map.js";
import { forgetColours } from "./marks.js";
import * as outbox from "./outbox.js";
import * as overview from "./overview.js";
import * as probe from "./probe.js";
import * as series from "./series.js";
import { nameOf, on, store, tell } from "./store.js";
import { looks, nameOfRow } from "./thumbs.js";

const $ = (id) => document.getElementById(id);
const say = (text) => ($("say").textContent = text);

function warn(text) {
  $("banner").hidden = !text;
  $("banner").textContent = text;
}

on("say", say);
on("open", async ({ row, queued = false, quiet = false, part = null }) => {
  store.row = row;
  store.queued = queued || (quiet && store.queue.some(([one]) => one === row));
  if (!quiet) labels.visit(row);
  tell("current", row);
  try {
    await series.open(row, part);
    await looks([row]);
    say(`${nameOfRow(row)}${store.codes[row] >= 0 ? `, labelled ${nameOf(store.codes[row])}` : ""}`);
  } catch (error) {
    warn(error.message);
  }
});
on("colouring", () => colourBy(store.colouring === "labels" ? "probe" : "labels"));
on("export", exportLabels);
on("ask name", askName);
on("ask find", askFind);
on("selection", () => {
  tally();
  $("map-facts").textContent = store.count ? `${store.count.toLocaleString("en")} selected` : "";
});
on("codes", tally);

function colourBy(name) {
  if (name === "probe" && !store.predicted) return say("There is no probe yet: label series of two classes");
  store.colouring = name;
  $("by-labels").setAttribute("aria-pressed", name === "labels");
  $("by-probe").setAttribute("aria-pressed", name === "probe");
  tell("predictions");
}

function tally() {
  const n = store.classes.reduce((sum, one) => sum + one.count, 0);
  $("tally").innerHTML = "<b></b> of <b></b> labelled";
  const [some, all] = $("tally").querySelectorAll("b");
  some.textContent = n.toLocaleString("en");
  all.textContent = `${store.N.toLocaleString("en")} ${store.about.windows ? "windows" : "series"}`;
  const waiting = outbox.count();
  $("saved").classList.toggle("waiting", waiting > 0);
  $("saved").textContent = waiting ? `${waiting} not on disk yet` : n ? "all on disk" : "";
}

// What became of an act that was sent.
async function acknowledged({ act, reply, error, refused }) {
  if (error) {
    const lost = error.status === 401 ? "The studio was started anew: open the address that it printed; what you labelled waits in this browser." : `The server does not answer (${error.message}); what you labelled waits in this browser and is sent again.`;
    warn(refused ? error.message : lost);
    if (refused) await fetchCodes();
    return tally();
  }
  warn("");
  store.state = { ...store.state, labels: reply };
  const again = /^(un|re)do$/.test(act.kind);
  if (again || reply.classes.length !== store.classes.length) stale = true;
  else store.version = reply.version;
  if (stale && !outbox.count()) await fetchCodes();
  if (again && reply.touched?.length) tell("open", { row: reply.touched[0], queued: true });
  if (again) say(act.kind === "undo" ? "Undone" : "Done again");
  if (!outbox.count()) {
    store.classes = reply.classes;
    tell("classes");
  }
  tally();
}

// Labels given while codes are on their way are not among them: then these come once more.
let stale = false;
async function fetchCodes() {
  const before = outbox.added();
  const [{ buffer, version }, state] = await Promise.all([bytes("codes"), json("news")]);
  stale = outbox.added() !== before;
  if (stale) return;
  store.codes = new Int16Array(buffer);
  store.version = version;
  store.classes = state.labels.classes;
  store.state = state;
  tell("codes");
  tell("classes");
}

async function fetchPredictions() {
  try {
    const { buffer } = await bytes("predictions");
    const both = new Int16Array(buffer);
    store.predicted = both.subarray(0, store.N);
    store.confidence = both.subarray(store.N);
  } catch {
    store.predicted = store.confidence = null;
    if (store.colouring === "probe") colourBy("labels");
  }
  $("by-probe").disabled = !store.predicted;
  tell("predictions");
}

let learned = -1, mapped = false;
async function heed(state) {
  store.state = state;
  if (state.labels.version !== store.version && !outbox.count()) await fetchCodes();
  if (state.ready && !mapped) {
    mapped = true;
    await map.load();
    series.again();
  }
  const [what, done, of] = state.stage ?? [];
  $("stage").textContent = state.failure || (what ? `${what} ${of > 1 ? `${done.toLocaleString("en")} of ${of.toLocaleString("en")}` : ""} …` : "");
  if (state.learned !== learned) {
    learned = state.learned;
    await fetchPredictions();
  }
  store.queue = state.queue;
  tell("queue");
  tell("state");
}

async function follow(since) {
  for (;;) {
    try {
      const state = await json("news", { since });
      since = state.news;
      await heed(state);
      if (!outbox.count()) warn("");
    } catch (error) {
      warn(error.status === 401 ? error.message : `The server does not answer: ${error.message}`);
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

async function exportLabels() {
  try {
    const { path } = await post("export", {});
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await blob("labels.csv"));
    link.download = "labels.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    warn(`The labels are in ${path}: selftime classify … --labels ${path}`);
  } catch (error) {
    warn(error.message);
  }
}

function askName() {
  const many = store.count || 1;
  $("name-of").textContent = store.count ? `for ${many} selected series` : `for ${nameOfRow(store.row)}`;
  $("name").value = "";
  $("known").replaceChildren(...store.classes.map((one) => Object.assign(document.createElement("option"), { value: one.name })));
  $("name-dialog").showModal();
}

function askFind() {
  $("find-text").value = "";
  $("found").replaceChildren();
  $("find-dialog").showModal();
}

let searching = 0;
async function search() {
  const own = ++searching, text = $("find-text").value.trim();
  const hits = text ? await json("find", { text }) : [];
  if (own !== searching) return;
  $("found").replaceChildren(...hits.map(({ row, name }) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => {
      $("find-dialog").close();
      tell("open", { row });
    });
    item.append(button);
    return item;
  }));
}

function buttons() {
  const does = {
    "find-button": askFind, "export-button": exportLabels, "help-button": () => $("help-dialog").showModal(),
    back: labels.back, forth: labels.forth, "to-queue": labels.next, "span-button": series.neighbours,
    forecast: series.toggleForecast, anomalies: series.toggleAnomalies, "new-class": askName, skip: labels.skip,
    clear: labels.clear, undo: () => labels.undo(), "by-labels": () => colourBy("labels"), "by-probe": () => colourBy("probe"), "map-whole": map.whole,
  };
  for (const [id, act] of Object.entries(does)) $(id).addEventListener("click", () => act());
  $("name-dialog").addEventListener("close", () => {
    const name = $("name").value.trim().replace(/\s+/g, " ");
    if ($("name-dialog").returnValue === "yes" && name) labels.label(name);
    $("name-dialog").returnValue = "";
  });
  let looked = Promise.resolve();
  $("find-text").addEventListener("input", () => (looked = search()));
  $("find-text").addEventListener("keydown", async (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    await looked; // what stands there now may be what fewer letters found
    $("found").querySelector("button")?.click();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    forgetColours();
    tell("theme");
  });
}

async function begin() {
  buttons();
  const [about, state, codes] = await Promise.all([json("about"), json("news"), bytes("codes")]);
  store.about = about;
  store.N = about.entries;
  store.codes = new Int16Array(codes.buffer);
  store.version = codes.version;
  store.classes = state.labels.classes;
  store.state = state;
  store.selected = new Uint8Array(store.N);
  document.title = `${about.source} – selftime studio`;
  $("source").textContent = about.source;
  $("source").title = `${about.source}; labels in ${about.session}`;
  $("where").textContent = `Labels are in ${about.session}/${about.table}, and in ${about.log} there, each with its time.`;
  $("overview-title").textContent = about.windows ? "All windows" : "All series";
  for (const one of [map, overview, series, labels, probe, keys]) one.start(nameOfRow);
  outbox.open(about.session, acknowledged);
  tally();
  if (about.notes.length) say(about.notes.join("; "));
  await heed(state);
  tell("classes");
  follow(state.news);
}

begin().catch((error) => warn(error.message));
