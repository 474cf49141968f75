/** The page: what is shown, and what makes it show something else. */
import { listBooks, restoreBook } from "./api.js";
import { focusBook, indexOfBook, showBooks } from "./book-list.js";
import { openEditor, warnEditor } from "./editor.js";
import { followChanges } from "./live.js";
import { showToast } from "./toast.js";

const PAGE = 20;
const filter = document.querySelector("#filter");
const more = document.querySelector("#more");
const count = document.querySelector("#count");
const live = document.querySelector("#live");

/** How many books are wanted: one page more with each "Show more". */
let wanted = PAGE;
/** Counts the times the list was asked for: an answer that was overtaken is not shown. */
let asked = 0;
/** Ids of what has changed since the list was shown. */
let changed = new Set();

async function reload() {
  const mine = ++asked;
  try {
    const { books, next } = await fetchBooks();
    if (mine !== asked) return;
    showBooks(books, (book) => openEditor(book, offerUndo), changed);
    changed = new Set();
    more.hidden = next === undefined;
    count.textContent = describe(books.length, next !== undefined);
    count.classList.remove("failed");
  } catch (problem) {
    if (mine !== asked) return;
    count.textContent = problem.detail ?? String(problem);
    count.classList.add("failed");
  }
}

async function fetchBooks() {
  const form = new FormData(filter);
  const query = Object.fromEntries([...form].filter(([, value]) => value !== ""));
  const books = [];
  let next;
  do {
    const limit = String(Math.min(100, wanted - books.length));
    const page = await listBooks({ ...query, limit, ...(next !== undefined && { cursor: next }) });
    books.push(...page.books);
    next = page.next;
  } while (next !== undefined && books.length < wanted);
  return { books, next };
}

function describe(shown, hasMore) {
  if (hasMore) return `The first ${shown} books`;
  const form = new FormData(filter);
  if (shown === 0) return form.get("q") || form.get("status") ? "No book matches" : "No books here yet";
  return shown === 1 ? "1 book" : `${shown} books`;
}

function offerUndo(book) {
  const { id, version: _version, updatedAt: _updatedAt, ...draft } = book;
  const index = indexOfBook(id);
  showToast(`Deleted “${book.title}”`, async () => {
    try {
      await restoreBook(id, draft);
      changed.add(id);
      await reload();
      focusBook(index);
    } catch (problem) {
      showToast(problem.status === 412 ? "Somebody has added it again already" : problem.detail);
    }
  });
  void reload();
}

/** Waits until typing, or a burst of changes, pauses. */
let timer;
function reloadSoon(ms) {
  clearTimeout(timer);
  timer = setTimeout(reload, ms);
}

filter.addEventListener("input", () => {
  wanted = PAGE;
  reloadSoon(150);
});
filter.addEventListener("submit", (event) => {
  event.preventDefault();
  void reload();
});
more.addEventListener("click", async () => {
  const first = wanted;
  wanted += PAGE;
  await reload();
  focusBook(first);
});
document.querySelector("#add").addEventListener("click", () => openEditor(undefined, offerUndo));
document.querySelector("#editor").addEventListener("close", () => void reload());

followChanges({
  onChange(change) {
    changed.add(change.bookId);
    warnEditor(change);
    reloadSoon(50);
  },
  onReset: reload,
  onState(isLive) {
    live.textContent = isLive ? "live" : "not connected, trying again";
    live.classList.toggle("on", isLive);
  },
});
void reload();
