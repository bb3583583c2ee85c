// All that the page knows, and whom to tell when it changes.

const listeners = new Map();

export const store = {
  about: null,
  N: 0,
  codes: new Int16Array(0), // the class of each series, -1 without one, -2 where it was skipped
  version: -1, // of the labels that codes are
  classes: [], // name and count
  places: null, // two numbers for each series, 0 to 65535
  predicted: null,
  confidence: null,
  queue: [],
  state: null,
  selected: new Uint8Array(0),
  count: 0, // of selected series
  row: -1, // the series that is looked at
  queued: true, // whether it came from the queue
  colouring: "labels",
  scale: "common",
};

export function on(name, heard) {
  if (!listeners.has(name)) listeners.set(name, []);
  listeners.get(name).push(heard);
}

export function tell(name, value) {
  for (const heard of listeners.get(name) ?? []) heard(value);
}

export const nameOf = (code) => (code >= 0 ? store.classes[code]?.name ?? "" : "");

export function select(rows) {
  store.selected.fill(0);
  for (const row of rows) store.selected[row] = 1;
  store.count = rows.length;
  tell("selection");
}

export function selectedRows() {
  const rows = [];
  for (let i = 0; i < store.N; i++) if (store.selected[i]) rows.push(i);
  return rows;
}
