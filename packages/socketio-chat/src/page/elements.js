/** Elements, made so that text from others stays text: nothing of it ever goes through a parser of HTML. */

/** @param {string} id */
export const byId = (id) => document.getElementById(id);

/**
 * @param {string} name
 * @param {string} [className]
 * @param {...(string | Node)} content
 */
export function element(name, className = "", ...content) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}

/** The same person has the same colour everywhere. @param {string} name */
export function nameOf(name, className = "name") {
  const shown = element("span", className, name);
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 3_600;
  shown.style.setProperty("--hue", String(hash % 360));
  return shown;
}

/** Puts items into a list; the one with the focus keeps it. @param {HTMLElement} list @param {HTMLElement[]} items */
export function fill(list, items) {
  if (items.length === list.children.length && items.every((item, index) => item.isEqualNode(list.children[index])))
    return;
  const place = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  list.replaceChildren(...items);
  if (place >= 0) list.querySelectorAll("button")[place]?.focus();
}
