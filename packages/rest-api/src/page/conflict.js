/** When two people have edited the same book: both versions side by side, and a choice for each difference. */
import { changeBook, getBook } from "./api.js";

const dialog = document.querySelector("#conflict");
const form = dialog.querySelector("form");
const choices = dialog.querySelector(".choices");
const error = dialog.querySelector(".error");
/** What people call the members of a book. */
export const LABELS = {
  title: "Title",
  author: "Author",
  year: "First published",
  status: "Status",
  rating: "Rating",
  notes: "Notes",
};

/**
 * Shows theirs and mine until one of them is saved; what only one side has changed is merged without a question.
 *
 * @param {object} base The book as it was when the editing began.
 * @param {object} patch What is to be changed of it.
 * @returns {Promise<boolean>} False when nothing was chosen: back to the editing.
 */
export async function settleConflict(base, patch) {
  for (let theirs = await getBook(base.id); ; theirs = await getBook(base.id)) {
    const wanted = disputed(base, patch, theirs).length > 0 ? await ask(base, patch, theirs) : patch;
    if (wanted === undefined) return false;
    if (Object.keys(wanted).length === 0) return true;
    try {
      await changeBook(theirs, wanted);
      return true;
    } catch (problem) {
      // Once more: somebody else was quicker again.
      if (problem.status !== 412) throw problem;
    }
  }
}

/** What both have changed, each in another way. */
function disputed(base, patch, theirs) {
  return Object.keys(patch).filter((name) => {
    const now = theirs[name] ?? null;
    return now !== patch[name] && now !== (base[name] ?? null);
  });
}

/** Resolves with what to save: no member to keep theirs; with nothing on Escape. */
function ask(base, patch, theirs) {
  const names = disputed(base, patch, theirs);
  choices.replaceChildren(...names.map((name) => choiceOf(name, theirs[name] ?? null, patch[name])));
  error.textContent = "";
  dialog.showModal();
  choices.querySelector(":checked").focus();
  return new Promise((resolve) => {
    const settle = (wanted) => {
      form.onsubmit = null;
      dialog.onclose = null;
      dialog.close();
      resolve(wanted);
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      const mine = names.filter((name) => form.elements.namedItem(name).value === "mine");
      const others = Object.keys(patch).filter((name) => !names.includes(name));
      const wanted = [...mine, ...others].map((name) => [name, patch[name]]);
      settle(Object.fromEntries(wanted));
    };
    form.elements.namedItem("theirs").onclick = () => settle({});
    // Escape.
    dialog.onclose = () => settle(undefined);
  });
}

function choiceOf(name, theirs, mine) {
  const fieldset = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = LABELS[name];
  const sides = document.createElement("div");
  sides.className = "sides";
  sides.append(sideOf(name, "theirs", "Theirs", theirs, false), sideOf(name, "mine", "Mine", mine, true));
  fieldset.append(legend, sides);
  return fieldset;
}

function sideOf(name, side, caption, value, isChecked) {
  const label = document.createElement("label");
  const radio = Object.assign(document.createElement("input"), { type: "radio", name, value: side });
  radio.checked = isChecked;
  const text = document.createElement("span");
  const small = Object.assign(document.createElement("small"), { textContent: caption });
  const shown = Object.assign(document.createElement("span"), {
    className: "value",
    textContent: describe(name, value),
  });
  text.append(small, shown);
  label.append(radio, text);
  return label;
}

function describe(name, value) {
  if (value === null) return "nothing";
  return name === "rating" ? `${value} of 5 stars` : value;
}
