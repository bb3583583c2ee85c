"use strict";
(() => {
  const map = document.getElementById("points");
  const data = map ? JSON.parse(document.getElementById("series").textContent) : null;
  const shown = document.querySelector(".shown");
  const side = 1000;
  let current = -1, held = false, picked = null;

  const drawn = (name, attributes) => {
    const node = document.createElementNS(map.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const said = (name, text, kind) => {
    const node = document.createElement(name);
    node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const short = (value, span) => {  // as many digits as the range calls for
    const digits = Math.max(0, Math.min(6, Math.ceil(1.3 - Math.log10(span))));
    return Math.abs(value) < 1e6 ? value.toFixed(digits).replace("-", "\u2212") : value.toPrecision(3);
  };

  // Bytes 0 to 254 are levels between the ends of a channel, 255 is a missing value.
  function path(i, channel) {
    const bytes = atob(data.levels[i]);
    const steps = bytes.length / data.channels.length;
    const [low, high] = data.ends[i][channel];
    const bottom = Math.min(low, data.ranges[channel][0]);
    const span = Math.max(high, data.ranges[channel][1]) - bottom || 1;
    let d = "", down = false;
    for (let t = 0; t < steps; t++) {
      const byte = bytes.charCodeAt(channel * steps + t);
      if (byte === 255) { down = false; continue; }
      const x = Math.round(side * (steps > 1 ? t / (steps - 1) : 0.5));
      const level = (low + (high - low) * byte / 254 - bottom) / span;
      const y = Math.round(side * (0.95 - 0.9 * level));
      d += down ? `L${x} ${y}` : `M${x} ${y}h0`;
      down = true;
    }
    return d;
  }

  function lane(i, channel, height) {
    const svg = drawn("svg", {
      viewBox: `0 0 ${side} ${side}`, preserveAspectRatio: "none", height, "aria-hidden": "true",
    });
    svg.append(drawn("path", { d: path(i, channel) }));
    return svg;
  }

  function lanes(i) {
    const box = said("div", "", `lanes c${data.codes[i] % 10}`);
    const height = Math.max(22, Math.min(150, 300 / data.channels.length));
    data.channels.forEach((name, channel) => {
      const row = said("div", "", "lane");
      const words = said("div", "");
      const [low, high] = data.ranges[channel];
      const ends = data.ends[i][channel].map((end) => short(end, high - low)).join(" to ");
      words.append(said("span", name), said("span", ends));
      words.title = `${name}: ${ends}`;
      row.append(lane(i, channel, height), words);
      box.append(row);
    });
    return box;
  }

  // What is no curve is a picture or a text.
  function sight(i, words) {
    if (data.texts.length) return said("p", data.texts[i], "symbols");
    const picture = document.createElement("img");
    picture.src = data.pictures[i];
    picture.alt = words;
    picture.className = data.look;
    return picture;
  }

  function whole(i) {
    if (data.levels) return lanes(i);
    const box = said("div", "", "sight");
    box.append(sight(i, `${data.ids[i]}, ${data.extents[i]}`));
    if (data.legend) box.append(said("p", data.legend, "about"));
    return box;
  }

  function alike(i) {
    const box = said("div", "", "alike");
    for (const j of data.near[i]) {
      const button = said("button", "", `c${data.codes[j] % 10}`);
      button.type = "button";
      const few = data.levels ? Math.min(3, data.channels.length) : 0;
      for (let channel = 0; channel < few; channel++) button.append(lane(j, channel, 48 / few));
      if (!data.levels) button.append(sight(j, ""));
      button.append(said("span", data.labels ? `${data.ids[j]} · ${data.labels[j]}` : data.ids[j]));
      button.addEventListener("click", () => { hold(true); choose(j); });
      box.append(button);
    }
    return box;
  }

  function hold(firmly) {
    held = firmly;
    map.classList.toggle("held", held);
  }

  function choose(i) {
    if (i === current || i < 0) return;
    current = i;
    const label = data.labels ? `labelled ${data.labels[i]}, ` : "";
    const more = data.more_channels ? `, the first ${data.channels.length} of ` +
      `${data.channels.length + data.more_channels} channels` : "";
    const about = said("p", `${label}${data.extents[i]}${more}`, "about");
    shown.replaceChildren(said("h3", data.ids[i]), about, whole(i));
    if (data.near[i].length) shown.append(said("h4", "Most alike to the model"), alike(i));
    mark(i);
  }

  function mark(i) {
    for (const old of map.querySelectorAll(".ring, .tie")) old.remove();
    const [x, y] = data.places[i];
    for (const j of data.near[i]) {
      const [a, b] = data.places[j];
      map.append(drawn("line", { class: "tie", x1: x, y1: y, x2: a, y2: b }));
    }
    map.append(drawn("circle", { class: "ring", cx: x, cy: y, r: 14 }));
  }

  function nearest(event) {
    const box = map.getBoundingClientRect();
    const scale = map.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    let best = -1, least = Infinity;
    data.places.forEach(([a, b], j) => {
      if (picked !== null && data.codes[j] !== picked) return;
      const apart = (a - x) ** 2 + (b - y) ** 2;
      if (apart < least) { least = apart; best = j; }
    });
    return best;
  }

  function listen() {
    map.addEventListener("pointermove", (event) => { if (!held) choose(nearest(event)); });
    map.addEventListener("click", (event) => {
      hold(!held);
      choose(nearest(event));
    });

    const directions = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    map.addEventListener("keydown", (event) => {
      const direction = directions[event.key];
      if (event.key === "Escape") hold(false);
      if (!direction) return;
      event.preventDefault();
      const [x, y] = data.places[current];
      let best = -1, least = Infinity;
      data.places.forEach(([a, b], j) => {
        const along = (a - x) * direction[0] + (b - y) * direction[1];
        const across = Math.abs((a - x) * direction[1] + (b - y) * direction[0]);
        if (j !== current && along > 0 && along + 2 * across < least) { least = along + 2 * across; best = j; }
      });
      choose(best);
    });

    const buttons = document.querySelectorAll(".classes button");
    for (const button of buttons) {
      button.addEventListener("click", () => {
        const code = Number(button.dataset.code);
        picked = picked === code ? null : code;
        for (const other of buttons) other.setAttribute("aria-pressed", Number(other.dataset.code) === picked);
        for (const group of map.querySelectorAll(".points")) {
          group.classList.toggle("faded", picked !== null && Number(group.dataset.code) !== picked);
        }
      });
    }
    choose(0);
  }

  // Charts: the nearest reading beneath the pointer.
  for (const area of document.querySelectorAll("[data-readings]")) {
    const readings = JSON.parse(area.dataset.readings);
    const spot = said("div", "", "spot"), reading = said("div", "", "reading");
    area.addEventListener("pointermove", (event) => {
      const box = area.getBoundingClientRect();
      const at = side * (event.clientX - box.left) / box.width;
      const [x, y, text] = readings.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a);
      for (const node of [spot, reading]) {
        node.style.left = `${x / 10}%`;
        node.style.top = `${y / 10}%`;
      }
      reading.className = `reading${x < 200 ? " left" : x > 800 ? " right" : ""}`;
      reading.textContent = text;
      area.append(spot, reading);
    });
    area.addEventListener("pointerleave", () => { spot.remove(); reading.remove(); });
  }

  if (map) listen();  // a page made without series has no map
})();
