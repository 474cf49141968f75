/**
 * Why nobody can listen at an address, in words.
 *
 * @module
 */

/**
 * The error for an address that cannot be listened on, with the URL in its text and the system's `code`.
 *
 * @param cause What the system said: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, ….
 * @param reasons Words for its codes where the address is no port.
 * @example
 * ```ts
 * import { listenError } from "@ipc/core/listen-error";
 *
 * const cause = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
 * console.log(listenError("http://127.0.0.1:3000", cause).message);
 * ```
 * ```text
 * Cannot listen on http://127.0.0.1:3000: the port is taken
 * ```
 */
export function listenError(url: string, cause: unknown, reasons = PORT_REASONS): NodeJS.ErrnoException {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  return Object.assign(new Error(`Cannot listen on ${url}: ${reasons[code] ?? message}`, { cause }), { code });
}

const PORT_REASONS: Record<string, string> = {
  EADDRINUSE: "the port is taken",
  EACCES: "permission denied, as for most ports below 1024",
  EADDRNOTAVAIL: "it is no address of this machine",
};
