/** A line of the last round trips; a cut is a gap in it. */

const plot = document.querySelector("#chart g");
const text = document.querySelector("#trip");
const SHOWN = 60;
const WIDTH = 120;
const HEIGHT = 40;
/** Round trips in ms, the last one last; NaN is a cut. */
let trips = [];

/** @param {number} ms */
export function addRoundTrip(ms) {
  trips = [...trips, ms].slice(-SHOWN);
  draw();
}

/** Marks a cut. */
export function addCut() {
  if (!Number.isNaN(trips.at(-1) ?? Number.NaN)) addRoundTrip(Number.NaN);
}

function draw() {
  const known = trips.filter((ms) => !Number.isNaN(ms)).sort((a, b) => a - b);
  if (known.length === 0) return;
  const worst = known.at(-1);
  const lastTrip = trips.findLast((ms) => !Number.isNaN(ms));
  text.textContent = `last ${show(lastTrip)} · median ${show(known[known.length >> 1])} · worst ${show(worst)} ms`;
  const x = (index) => ((index + SHOWN - trips.length) / (SHOWN - 1)) * WIDTH;
  const y = (ms) => HEIGHT - (ms / worst) * HEIGHT;
  const lines = [[]];
  const cuts = [];
  for (const [index, ms] of trips.entries()) {
    if (!Number.isNaN(ms)) lines.at(-1).push(`${x(index).toFixed(2)},${y(ms).toFixed(2)}`);
    else {
      lines.push([]);
      cuts.push(index);
    }
  }
  plot.replaceChildren(
    ...cuts.map((index) => element("line", { class: "cut", x1: x(index), x2: x(index), y1: 0, y2: HEIGHT })),
    ...lines.filter((points) => points.length > 0).map((points) => element("polyline", { points: points.join(" ") })),
  );
}

function show(ms) {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

function element(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
