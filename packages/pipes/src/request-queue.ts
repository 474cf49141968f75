/** A request that has no reply yet. */
export interface Request {
  message: Uint8Array;
  deadline: number;
  isSettled: boolean;
  resolve(reply: Uint8Array): void;
  reject(error: unknown): void;
}

/** What a request counts for beside its message. */
const REQUEST_BYTES = 64;

/** Requests in the order of their deadlines. One that has expired keeps its place: its reply may still come. */
export class RequestQueue {
  bytes = 0;
  readonly #name: string;
  // Not Array.shift(): of a long array it copies all.
  #items: (Request | undefined)[] = [];
  #head = 0;
  #onEmpty: (() => void) | undefined;

  /** @param name Who is to answer, for texts. */
  constructor(name: string) {
    this.#name = name;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Whether the first has waited for too long. */
  get isOverdue(): boolean {
    return this.#items[this.#head]?.isSettled === true;
  }

  push(request: Request): void {
    this.#items.push(request);
    this.bytes += request.message.length + REQUEST_BYTES;
  }

  shift(): Request | undefined {
    const request = this.#items[this.#head];
    if (!request) return undefined;
    this.#items[this.#head++] = undefined;
    this.bytes -= request.message.length + REQUEST_BYTES;
    if (this.#head === this.#items.length) this.#compact();
    else if (this.#head > 1_024 && this.#head * 2 > this.#items.length) this.#compact();
    return request;
  }

  #compact() {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }

  /** The reply to the first. @throws {Error} when there is none. */
  answer(reply: Uint8Array): void {
    const request = this.shift();
    if (!request) throw new Error("a reply came that nobody asked for");
    if (!request.isSettled) {
      request.isSettled = true;
      request.resolve(reply);
    }
    if (this.size === 0) this.#onEmpty?.();
  }

  /** The way is lost, or (`isBefore`) there never was one. */
  rejectAll(cause: Error, isBefore = false): void {
    // The reply that broke the framing is its own request's error; what stood behind it was only cut off.
    let error = isBefore || ("code" in cause && cause.code === "ERR_FRAME_TOO_LARGE") ? cause : this.#reset(cause);
    for (let request = this.shift(); request; request = this.shift()) {
      if (!request.isSettled) request.reject(error);
      request.isSettled = true;
      if (!isBefore) error = this.#reset(cause);
    }
    this.#onEmpty?.();
  }

  #reset(cause: Error): Error {
    const text = `Cannot get reply from ${this.#name}: ${cause.message}`;
    return Object.assign(new Error(text, { cause }), { code: "ECONNRESET" });
  }

  /** Rejects what has waited for too long. Returns when the next one has. */
  expire(now: number, code: "ETIMEDOUT" | "ENOTCONN"): number {
    for (let index = this.#head; index < this.#items.length; index++) {
      const request = this.#items[index];
      if (!request || request.isSettled) continue;
      if (request.deadline > now) return request.deadline;
      request.isSettled = true;
      const why = code === "ETIMEDOUT" ? "none came in time" : "there was no connection in time";
      request.reject(Object.assign(new Error(`Cannot get reply from ${this.#name}: ${why}`), { code }));
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Resolves when there is none any more. */
  drained(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }
}
