/** The list: one element a book, kept while the book is there, so that focus and place stay where they are. */

const list = document.querySelector("#books");
/** @type {Map<string, { item: HTMLElement, version: number }>} */
const shown = new Map();

/**
 * Shows these books in this order.
 *
 * @param {object[]} books
 * @param {(book: object) => void} onOpen Called when somebody chooses a book.
 * @param {Set<string>} changed Ids of those to draw attention to.
 */
export function showBooks(books, onOpen, changed) {
  const ids = new Set(books.map(({ id }) => id));
  for (const [id, { item }] of shown) {
    if (ids.has(id)) continue;
    item.remove();
    shown.delete(id);
  }
  for (const [index, book] of books.entries()) {
    const item = itemOf(book, onOpen);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    if (changed.has(book.id)) attract(item);
  }
}

/** Puts the focus on a book, or on the one that took its place. */
export function focusBook(index) {
  const item = list.children[Math.min(index, list.children.length - 1)];
  item?.querySelector("button").focus();
}

/** Where a book is in the list. */
export function indexOfBook(id) {
  return [...list.children].findIndex((item) => item.dataset.id === id);
}

function itemOf(book, onOpen) {
  const known = shown.get(book.id);
  if (known?.version === book.version) return known.item;
  const item = known?.item ?? element("li");
  item.dataset.id = book.id;
  const button = item.firstElementChild ?? element("button", "book");
  button.type = "button";
  button.onclick = () => onOpen(book);
  // The text of a book is text, whatever is in it: it never goes through a parser.
  button.replaceChildren(
    element("strong", "", book.title),
    element("span", `status ${book.status.replace(" ", "-")}`, book.status),
    element("span", "by", `${book.author}, ${yearOf(book)}`),
    starsOf(book),
    ...(book.notes ? [element("span", "notes", book.notes)] : []),
  );
  button.style.setProperty("--hue", String(hueOf(book.author)));
  if (!known) item.append(button);
  shown.set(book.id, { item, version: book.version });
  return item;
}

function attract(item) {
  item.classList.remove("changed");
  // Asked for its size it forgets the old animation, and begins anew.
  void item.offsetWidth;
  item.classList.add("changed");
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function starsOf({ rating }) {
  const stars = element("span", "stars", "★".repeat(rating ?? 0));
  if (rating) stars.setAttribute("aria-label", `${rating} of 5 stars`);
  if (rating) stars.setAttribute("role", "img");
  return stars;
}

function yearOf({ year }) {
  return year < 0 ? `${-year} BC` : String(year);
}

/** All books of one author have the same colour. */
function hueOf(text) {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + character.codePointAt(0)) % 3_600;
  return hash % 360;
}
