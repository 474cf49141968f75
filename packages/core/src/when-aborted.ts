/** What is to be called for a signal. A list of our own: Node 20 warns of more than ten listeners of one signal. */
const lists = new WeakMap<AbortSignal, { callbacks: Set<() => void>; onAbort: () => void }>();

/**
 * Calls `callback` when `signal` aborts: one listener a signal, however many wait for it, and none when nobody does.
 *
 * @returns What takes it back.
 * @example
 * ```ts
 * import { whenAborted } from "@ipc/core/when-aborted";
 *
 * const controller = new AbortController();
 * const forget = whenAborted(controller.signal, () => console.log("never said"));
 * whenAborted(controller.signal, () => console.log("not interested any more"));
 * forget();
 * controller.abort();
 * ```
 * ```text
 * not interested any more
 * ```
 */
export function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  let list = lists.get(signal);
  if (!list) {
    const callbacks = new Set<() => void>();
    const onAbort = () => {
      for (const each of [...callbacks]) each();
    };
    list = { callbacks, onAbort };
    lists.set(signal, list);
    signal.addEventListener("abort", onAbort);
  }
  const { callbacks, onAbort } = list;
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size > 0) return;
    if (lists.get(signal)?.callbacks === callbacks) lists.delete(signal);
    signal.removeEventListener("abort", onAbort);
  };
}
