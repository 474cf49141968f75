/** Messages that wait for a loop to take them; one at a time, in order. */
export class Inbox implements AsyncIterableIterator<unknown> {
  readonly #holdAtBytes: number;
  readonly #hold: (isHeld: boolean) => void;
  #messages: unknown[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;
  #end: { error: Error | undefined } | undefined;
  #takers: { resolve(result: IteratorResult<unknown>): void; reject(error: Error): void }[] = [];

  /** @param hold Told to bring no more while more than `holdAtBytes` wait, and when they are taken. */
  constructor(holdAtBytes: number, hold: (isHeld: boolean) => void) {
    this.#holdAtBytes = holdAtBytes;
    this.#hold = hold;
  }

  push(message: unknown, bytes: number): void {
    const taker = this.#takers.shift();
    if (taker) {
      taker.resolve({ value: message, done: false });
      return;
    }
    this.#messages.push(message);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    if (this.#bytes > this.#holdAtBytes) this.#hold(true);
  }

  /** After what waits there is nothing more. */
  end(error?: Error): void {
    this.#end ??= { error };
    for (const { resolve, reject } of this.#takers.splice(0)) {
      if (error) reject(error);
      else resolve({ value: undefined, done: true });
    }
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#head < this.#messages.length) return Promise.resolve({ value: this.#take(), done: false });
    if (this.#end?.error) return Promise.reject(this.#end.error);
    if (this.#end) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject });
    });
  }

  #take(): unknown {
    const message = this.#messages[this.#head];
    this.#messages[this.#head] = undefined;
    this.#bytes -= this.#sizes[this.#head++] ?? 0;
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#sizes = [];
      this.#head = 0;
      this.#hold(false);
    }
    return message;
  }

  /** A loop that is left does not end it: the next goes on where it was. */
  return(): Promise<IteratorResult<unknown>> {
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
