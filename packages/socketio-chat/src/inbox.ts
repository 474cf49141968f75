/** 1,000: what a reader who is busy for a moment has missed. */
const MOST_WAITING = 1_000;

/** What has happened and was not read yet. */
export interface Inbox<T> extends AsyncIterable<T> {
  put(item: T): void;
  /** There is nothing more: what waits can still be read. */
  end(): void;
}

/**
 * A queue with a bound. A reader that is behind calls `onFull`, and `onRoom` when it has caught up. What comes before somebody
 * reads is kept up to the bound.
 */
export function createInbox<T>({ onFull, onRoom }: { onFull(): void; onRoom(): void }): Inbox<T> {
  let isRead = false;
  let isFull = false;
  let isOver = false;
  let stream: ReadableStreamDefaultController<T> | undefined;
  const items = new ReadableStream<T>(
    {
      start(controller) {
        stream = controller;
      },
      pull() {
        if (isFull && !isOver) onRoom();
        isFull = false;
      },
    },
    { highWaterMark: MOST_WAITING },
  );

  return {
    put(item) {
      const room = stream?.desiredSize ?? 0;
      if (isOver || (room <= 0 && !isRead)) return;
      stream?.enqueue(item);
      if (room > 1 || !isRead || isFull) return;
      isFull = true;
      onFull();
    },
    end() {
      if (!isOver) stream?.close();
      isOver = true;
    },
    [Symbol.asyncIterator]() {
      isRead = true;
      return items.values({ preventCancel: true });
    },
  };
}
