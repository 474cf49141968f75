/**
 * Hands an event to whoever listens. A listener that throws is a fault of the process, not of the connection that the
 * event is about: it is shown as a warning, and the connection goes on.
 *
 * @example
 * ```ts
 * import { tell } from "@ipc/core/tell";
 *
 * tell((event) => console.log(event), { type: "connected" });
 * ```
 * ```text
 * { type: 'connected' }
 * ```
 */
export function tell<E>(onEvent: ((event: E) => void) | undefined, event: E): void {
  try {
    onEvent?.(event);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
