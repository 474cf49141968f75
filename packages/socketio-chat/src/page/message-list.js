/** What was said and what happened in the room that is looked at. */
import { byId, element, nameOf } from "./elements.js";

const list = byId("messages");
const newer = byId("newer");
/** 1,000: what came before is in nobody's mind any more, and each costs the browser something. */
const MOST = 1_000;
let unseen = 0;

const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 40;

let wasAtEnd = true;

list.addEventListener("scroll", () => {
  wasAtEnd = isAtEnd();
  if (wasAtEnd) showNewer(0);
});
// A banner above it, a keyboard below it: who read the end still does.
new ResizeObserver(() => wasAtEnd && scrollToEnd()).observe(list);
newer.addEventListener("click", scrollToEnd);

/** Another room: all of its entries. @param {HTMLElement[]} entries */
export function showEntries(entries) {
  // Said aloud is only what is new.
  list.setAttribute("aria-live", "off");
  list.replaceChildren(...entries);
  scrollToEnd();
  requestAnimationFrame(() => list.setAttribute("aria-live", "polite"));
}

/** One more at the end; who reads further up stays there. @param {HTMLElement} entry */
export function appendEntry(entry, isMessage = false) {
  wasAtEnd = isAtEnd();
  list.append(entry);
  while (list.children.length > MOST) list.firstElementChild.remove();
  if (wasAtEnd) scrollToEnd();
  else if (isMessage) showNewer(unseen + 1);
}

function scrollToEnd() {
  list.scrollTop = list.scrollHeight;
  wasAtEnd = true;
  showNewer(0);
}

function showNewer(count) {
  unseen = count;
  newer.hidden = count === 0;
  newer.textContent = count === 1 ? "1 new message" : `${count} new messages`;
}

/** @param {{ name: string, text: string, at: number }} said */
export function messageEntry({ name, text, at }, { isMine = false, isPrivate = false, note = "" } = {}) {
  const time = element("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = new Date(at).toISOString();
  const head = element("p", "head", nameOf(name), ...(note ? [element("em", "", note)] : []), time);
  return element(
    "li",
    `message${isMine ? " mine" : ""}${isPrivate ? " private" : ""}`,
    head,
    element("p", "text", text),
  );
}

/** What nobody said. @param {string} text */
export function noteEntry(text) {
  return element("li", "note", text);
}
