/** A line at the foot of the page that can be taken back. */

const toast = document.querySelector("#toast");
const [text, button] = toast.children;
/** Long enough to read it and reach for the button. */
const SHOWN_MS = 10_000;
let timer;

/**
 * Shows a line.
 *
 * @param {string} line
 * @param {(() => void) | undefined} onUndo Nothing: there is nothing to take back.
 */
export function showToast(line, onUndo) {
  text.textContent = line;
  button.hidden = !onUndo;
  button.onclick = () => {
    hide();
    onUndo?.();
  };
  toast.hidden = false;
  if (onUndo) button.focus();
  wait();
}

function hide() {
  clearTimeout(timer);
  toast.hidden = true;
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    // Not under somebody's hands.
    if (toast.matches(":hover, :focus-within:has(:focus-visible)")) wait();
    else hide();
  }, SHOWN_MS);
}
