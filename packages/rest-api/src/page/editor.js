/** The form for one book, new or old. */
import { changeBook, createBook, removeBook } from "./api.js";
import { LABELS, settleConflict } from "./conflict.js";

const dialog = document.querySelector("#editor");
const form = dialog.querySelector("form");
const { title, author, year, status, notes } = form.elements;
const error = dialog.querySelector(".error");
const note = dialog.querySelector(".note");
const removing = form.elements.namedItem("remove");

/** The book that is being edited; nothing for a new one. */
let book;
let onRemoved = () => {};

/**
 * Opens the form.
 *
 * @param {object | undefined} edited Nothing: a new one.
 * @param {(book: object) => void} whenRemoved Called with a book that was deleted here.
 */
export function openEditor(edited, whenRemoved) {
  book = edited;
  onRemoved = whenRemoved;
  document.querySelector("#editor-title").textContent = book ? "Edit book" : "Add a book";
  removing.hidden = !book;
  note.hidden = true;
  showError("");
  write(book ?? { title: "", author: "", year: "", status: "to read" });
  dialog.showModal();
  title.focus();
}

/** Tells who is editing a book that somebody else has just changed it. */
export function warnEditor(change) {
  if (dialog.open && change.bookId === book?.id && change.id > book.version) note.hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await attempt(async () => {
    const mine = read();
    if (!book) await createBook(withoutNothing(mine));
    else if (!(await saveChanges(book, mine))) return;
    dialog.close();
  });
});

removing.addEventListener("click", () =>
  attempt(async () => {
    await removeBook(book);
    dialog.close();
    onRemoved(book);
  }),
);

form.elements.namedItem("cancel").addEventListener("click", () => dialog.close());

/** False when there is more to edit. */
async function saveChanges(base, mine) {
  const patch = differences(base, mine);
  if (Object.keys(patch).length === 0) return true;
  try {
    await changeBook(base, patch);
    return true;
  } catch (problem) {
    if (problem.status !== 412) throw problem;
    return await settleConflict(base, patch);
  }
}

/** Only one thing at a time, and what goes wrong is said beside the form. */
async function attempt(action) {
  const buttons = [...form.querySelectorAll("button")];
  for (const button of buttons) button.disabled = true;
  showError("");
  try {
    await action();
  } catch (problem) {
    showProblem(problem);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

function showProblem(problem) {
  if (problem.status === 404)
    return showError("Somebody has deleted this book meanwhile. Cancel, and add it again if you like.");
  if (problem.status === 412)
    return showError("Somebody has changed this book meanwhile. Cancel, and look at it first.");
  const [first] = problem.errors ?? [];
  const field = form.elements.namedItem(first?.pointer.slice(1) ?? "");
  if (!first || !(field instanceof HTMLElement)) return showError(problem.detail ?? String(problem));
  showError(`${LABELS[field.name]} ${field.value === "" ? "is missing" : first.detail}.`);
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

function showError(text) {
  error.textContent = text;
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

function write(from) {
  title.value = from.title;
  author.value = from.author;
  year.value = from.year;
  status.value = from.status;
  form.elements.rating.value = from.rating ?? "";
  notes.value = from.notes ?? "";
}

/** `null` for what is empty. */
function read() {
  const { value: stars } = form.elements.rating;
  return {
    title: title.value.trim(),
    author: author.value.trim(),
    year: year.value === "" ? null : Number(year.value),
    status: status.value,
    rating: stars === "" ? null : Number(stars),
    notes: notes.value === "" ? null : notes.value,
  };
}

function differences(base, mine) {
  return Object.fromEntries(Object.entries(mine).filter(([name, value]) => value !== (base[name] ?? null)));
}

function withoutNothing(draft) {
  return Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== null));
}
