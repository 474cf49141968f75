/**
 * Where the browser is, and how it is started for tests of pages. Starting it is playwright-core's business:
 * `chromium.launch({ executablePath: await findChromium(), args: CHROMIUM_ARGS })`.
 *
 * @module
 */
import { findBinary } from "./services.ts";

/**
 * The path of a Chromium or Chrome of this machine, or `undefined` where there is none.
 *
 * @example
 * ```ts no-run
 * import { findChromium } from "@ipc/core/browser";
 *
 * console.log((await findChromium()) ?? "needs chromium");
 * ```
 */
export function findChromium(): Promise<string | undefined> {
  return findBinary(["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"], MAC_FOLDERS);
}

const MAC_FOLDERS = ["/Applications/Google Chrome.app/Contents/MacOS", "/Applications/Chromium.app/Contents/MacOS"];

/** Works as root and without a display, and makes no connections of its own. */
export const CHROMIUM_ARGS: readonly string[] = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
