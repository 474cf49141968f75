/** Where one writes: to everybody, or to one person. */
import { byId } from "./elements.js";

const form = byId("composer");
const text = byId("text");
const recipient = byId("recipient");
const error = form.querySelector(".error");
/** Others are told again within their patience of 5 s. */
const TELL_TYPING_MS = 2_000;
let toName = "";
let toldAt = 0;

/** @param {{ onSend(text: string, to: string): Promise<unknown>, onTyping(isTyping: boolean): void }} owner */
export function startComposer({ onSend, onTyping }) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(onSend, onTyping);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") writeTo("");
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  text.addEventListener("input", () => {
    error.textContent = "";
    fit();
    const now = performance.now();
    // What is for one person is nobody else's business.
    if (text.value === "" || toName || (toldAt > 0 && now - toldAt < TELL_TYPING_MS)) return;
    toldAt = now;
    onTyping(true);
  });
  recipient.addEventListener("click", () => writeTo(""));
}

/** @param {string} name Nobody: to everybody. */
export function writeTo(name) {
  toName = name;
  recipient.hidden = name === "";
  recipient.textContent = `to ${name} only ✕`;
  recipient.setAttribute("aria-label", `Only to ${name}; press to write to everybody`);
  text.focus();
}

async function send(onSend, onTyping) {
  const { value } = text;
  if (value.trim() === "") return;
  text.value = "";
  error.textContent = "";
  fit();
  if (toldAt > 0) onTyping(false);
  toldAt = 0;
  try {
    await onSend(value, toName);
  } catch (refusal) {
    error.textContent = `Not sent: ${refusal.message}.`;
    // What was not sent is not lost, unless the next one is being written.
    if (text.value === "") text.value = value;
  }
}

function fit() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}
