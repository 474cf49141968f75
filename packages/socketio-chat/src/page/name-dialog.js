/** Who one is: kept as long as this tab, so that a reload is no new person. */
import { byId } from "./elements.js";
import { parseName } from "./protocol.js";

const dialog = byId("name-dialog");
const form = dialog.querySelector("form");
const input = byId("name");
const error = form.querySelector(".error");

/** @returns {{ name: string, session: string }} */
export function storedSelf() {
  const session = sessionStorage.getItem("session") ?? createId();
  sessionStorage.setItem("session", session);
  return { name: sessionStorage.getItem("name") ?? "", session };
}

/** Asks for a name. @param {string} [why] What was wrong with the last one. @returns {Promise<string>} */
export function askName(why = "") {
  error.textContent = why;
  // Whoever is told that a name goes on elsewhere is somebody else here.
  sessionStorage.removeItem("session");
  if (!dialog.open) dialog.showModal();
  input.select();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      try {
        const name = parseName(input.value);
        sessionStorage.setItem("name", name);
        dialog.close();
        resolve(name);
      } catch (refusal) {
        error.textContent = `${refusal.message}.`;
      }
    };
    // Without a name there is nothing to be seen.
    dialog.oncancel = (event) => event.preventDefault();
  });
}

/** `crypto.randomUUID` is only there on pages that came by HTTPS; on a LAN they do not. */
export function createId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
