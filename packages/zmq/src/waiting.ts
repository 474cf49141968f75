/** Waits for conditions that the same program brings about. */
export interface Conditions {
  /** To be called when something has changed. */
  changed(): void;
  /** Resolves with `true` when `check` holds, with `false` after `withinMs` or when nothing will change any more. */
  until(check: () => boolean, withinMs?: number): Promise<boolean>;
  /** Nothing will change any more. */
  end(): void;
}

/** What waits for something to become true, without asking again and again. */
export function createConditions(): Conditions {
  const waiting = new Set<(isOver?: boolean) => void>();
  const lookAll = (isOver: boolean) => {
    for (const look of waiting) look(isOver);
  };
  return {
    changed: () => lookAll(false),
    end: () => lookAll(true),
    until: (check, withinMs) =>
      new Promise((resolve) => {
        const timer = withinMs === undefined ? undefined : setTimeout(look, withinMs, true);
        function look(isOver = false) {
          const holds = check();
          if (!holds && !isOver) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(holds);
        }
        waiting.add(look);
        look();
      }),
  };
}

/** The end of a handle, which comes once, however often it is asked for. */
export function closeOnce(end: () => Promise<void>): AsyncDisposable & { close(): Promise<void> } {
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= end();
    return closing;
  };
  return { close, [Symbol.asyncDispose]: close };
}
