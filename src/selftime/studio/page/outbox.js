// What was done and is not yet on the server's disk: sent in order, and kept by the browser until
// it is acknowledged, so that neither a reload nor a server that dies loses it.

import { post } from "./api.js";

let place = "";
let waiting = [];
let busy = false;
let told = () => {};
const key = () => (crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`.replace(/\W/g, "-"));

function keep() {
  try {
    if (waiting.length) localStorage.setItem(place, JSON.stringify(waiting));
    else localStorage.removeItem(place);
  } catch {
    // without storage what waits lives as long as the page
  }
}

export function open(session, heard) {
  place = `selftime studio ${session}`;
  told = heard;
  try {
    waiting = JSON.parse(localStorage.getItem(place)) ?? [];
  } catch {
    waiting = [];
  }
  addEventListener("beforeunload", (event) => waiting.length && event.preventDefault());
  send();
}

export const count = () => waiting.length;

let sum = 0;
export const added = () => sum; // acts since the page was opened

export function add(act) {
  sum++;
  waiting.push({ key: key(), ...act });
  keep();
  send();
}

async function send() {
  if (busy) return;
  busy = true;
  while (waiting.length) {
    const act = waiting[0];
    try {
      const reply = await post("acts", act);
      waiting.shift();
      keep();
      told({ act, reply });
    } catch (error) {
      const refused = error.status >= 400 && error.status < 500 && error.status !== 401;
      if (refused) {
        waiting.shift();
        keep();
      }
      told({ act, error, refused });
      if (!refused) await new Promise((done) => setTimeout(done, 1000));
    }
  }
  busy = false;
}
