/** The page: what is shown, and what makes it show something else. */
import { addCut, addRoundTrip } from "./chart.js";
import { openSession } from "./session.js";

const MOST_LINES = 200;
const state = document.querySelector("#state");
const countdown = document.querySelector("#countdown");
const cut = document.querySelector("#cut");
const reconnect = document.querySelector("#reconnect");
const form = document.querySelector("#form");
const error = document.querySelector("#error");
const messages = document.querySelector("#messages");

/** When each message that has no answer yet was sent: answers come in order. */
let asked = [];
let ticking;
/** Whether anything was sent in this session: two that return whatever comes would never end. */
let hasTalked = false;

const session = openSession(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`, {
  onState(name, { forMs, reason }) {
    clearInterval(ticking);
    state.parentElement.classList.toggle("on", name === "connected");
    state.parentElement.classList.toggle("off", name === "waiting" || name === "ended");
    cut.hidden = name !== "connected";
    reconnect.hidden = name !== "waiting" && name !== "ended";
    if (name === "waiting") addCut();
    if (name === "ended") addNote(`ended: ${reason}`, "lost");
    state.textContent = name === "waiting" ? `not connected: ${reason}` : name;
    countdown.textContent = "";
    if (name !== "waiting") return;
    const until = performance.now() + forMs;
    const show = () => {
      countdown.textContent = `, again in ${Math.max(0, (until - performance.now()) / 1_000).toFixed(1)} s`;
    };
    show();
    ticking = setInterval(show, 100);
  },
  onMessage(message) {
    const sentAt = asked.shift();
    if (sentAt !== undefined) return addLine("received", message, `${(performance.now() - sentAt).toFixed(1)} ms`);
    addLine("received", message);
    if (hasTalked) return;
    // The server speaks first, and gets back what it said.
    hasTalked = true;
    addLine("returned", message);
    session.send(message);
  },
  onResume(repeated) {
    addNote(`resumed where it was, ${repeated} sent again`);
  },
  onLost(received, sent, waiting) {
    const count = received === undefined ? "what the server sent meanwhile" : `${received} received`;
    addNote(`lost for good: ${count}; ${sent.length} sent that may or may not have arrived`, "lost");
    if (received === undefined) hasTalked = waiting > 0;
    asked = received === undefined ? asked.slice(asked.length - waiting) : asked.slice(received);
  },
  onRoundTrip: addRoundTrip,
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = form.elements.namedItem("message");
  const message = parse(field.value);
  field.setAttribute("aria-invalid", String(message === undefined));
  error.textContent = message === undefined ? 'That is no JSON. Text goes in quotes: "Good day"' : "";
  if (message === undefined) return;
  asked.push(performance.now());
  hasTalked = true;
  addLine("sent", message);
  session.send(message);
});
cut.addEventListener("click", () => session.cut());
reconnect.addEventListener("click", () => session.reconnect());

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function addLine(what, message, detail = "") {
  const code = document.createElement("code");
  code.textContent = JSON.stringify(message);
  add("", label(what), code, label(detail));
}

function addNote(text, kind = "") {
  add(`note ${kind}`, text);
}

function label(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}

/** The newest on top. */
function add(kind, ...parts) {
  const line = document.createElement("li");
  line.className = kind;
  line.append(...parts);
  messages.prepend(line);
  while (messages.childElementCount > MOST_LINES) messages.lastElementChild.remove();
}
