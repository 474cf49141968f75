/** What waits to be read: bounded, read by one loop or several. */
export class MessageQueue<T extends { message: Uint8Array }> {
  #items: T[] = [];
  #bytes = 0;
  #hasEnded = false;
  #readers = 0;
  #changed: (() => void) | undefined;
  #change: Promise<void> | undefined;
  readonly #maxMessages: number;
  readonly #maxBytes: number;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  /** Adds at the end; false when it is full or has ended. */
  push(item: T): boolean {
    const bytes = this.#bytes + item.message.length;
    if (this.#hasEnded || this.#items.length >= this.#maxMessages || bytes > this.#maxBytes) return false;
    this.#items.push(item);
    this.#bytes = bytes;
    this.#wake();
    return true;
  }

  /** Takes no more. Loops that read end when it is empty. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Throws away what nobody has read. */
  clear(): void {
    this.#items = [];
    this.#bytes = 0;
    this.#wake();
  }

  /** Resolves when nothing waits any more, or nobody reads. */
  async emptied(): Promise<void> {
    while (this.#items.length > 0 && this.#readers > 0) await this.#nextChange();
  }

  /** What waits and what comes, each once. */
  async *read(): AsyncGenerator<T, void, void> {
    this.#readers++;
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item) {
          this.#bytes -= item.message.length;
          if (this.#items.length === 0) this.#wake();
          yield item;
        } else if (this.#hasEnded) return;
        else await this.#nextChange();
      }
    } finally {
      this.#readers--;
      this.#wake();
    }
  }

  #nextChange(): Promise<void> {
    this.#change ??= new Promise((resolve) => {
      this.#changed = resolve;
    });
    return this.#change;
  }

  #wake() {
    this.#changed?.();
    this.#changed = undefined;
    this.#change = undefined;
  }
}
