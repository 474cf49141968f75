import type { FrameWriter } from "../write-frames.ts";

/** A request that has no reply yet. */
export interface Request {
  /** What is still to be sent: nothing, once it is on its way. */
  unsent: Uint8Array | undefined;
  /** What it counts for. */
  readonly bytes: number;
  readonly deadline: number;
  isSettled: boolean;
  resolve(reply: Uint8Array): void;
  reject(error: unknown): void;
  /** Takes back the listening to its signal. */
  forget: (() => void) | undefined;
  previous: Request | undefined;
  next: Request | undefined;
}

/** What a request counts for beside its message. */
export const REQUEST_BYTES = 64;

/** 10 ms: no clock by which people measure timeouts is finer. */
const TOGETHER_MS = 10;

/**
 * Requests in their order, and their time. A list, since any of them may leave; linked by themselves, since `Array.shift`
 * of a long array copies it, and a node for each would be garbage.
 */
export class PendingRequests {
  first: Request | undefined;
  bytes = 0;
  /** Asked for once a turn only: it costs a tenth of a small request. */
  now = 0;
  hasHeard = false;
  #last: Request | undefined;
  #onEmpty: (() => void) | undefined;
  #heardAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerUntil = 0;
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #onSilence: (silentMs: number) => void;

  /**
   * @param name Who is to answer, in errors.
   * @param onSilence Called when a reply is overdue and nothing at all has come for `timeoutMs`.
   */
  constructor(name: string, timeoutMs: number, onSilence: (silentMs: number) => void) {
    this.#name = name;
    this.#timeoutMs = timeoutMs;
    this.#onSilence = onSilence;
  }

  /** @throws {RangeError} `ENOBUFS`. */
  checkRoom({ length: messageBytes }: Uint8Array, maxInFlightBytes: number): void {
    const inFlightBytes = this.bytes;
    if (inFlightBytes + messageBytes + REQUEST_BYTES <= maxInFlightBytes) return;
    const text = `Cannot send message of ${messageBytes} bytes: ${inFlightBytes} bytes wait for replies, limit is ${maxInFlightBytes}`;
    throw Object.assign(new RangeError(text), { code: "ENOBUFS", messageBytes, inFlightBytes, maxInFlightBytes });
  }

  push(request: Request): void {
    if (!this.first) this.#listen();
    request.previous = this.#last;
    if (this.#last) this.#last.next = request;
    else this.first = request;
    this.#last = request;
    this.bytes += request.bytes;
    this.#armTimer(request.deadline);
  }

  /** There is a connection: all that waited for one goes out. */
  sendAll(writer: FrameWriter): void {
    this.#listen();
    for (let { first: request } = this; request; request = request.next) {
      if (request.unsent) writer.write(request.unsent);
      request.unsent = undefined;
    }
  }

  /** The reply to the first. @throws {Error} when there is none. */
  answer(reply: Uint8Array): void {
    const { first } = this;
    if (!first || first.unsent) throw new Error("a reply came that nobody asked for");
    this.#remove(first);
    if (settle(first)) first.resolve(reply);
    if (!this.first) this.#onEmpty?.();
  }

  /** Nobody waits for it any more. */
  fail(request: Request, error: unknown): void {
    // One that is on its way keeps its place: its reply may come and must not be taken for the next one's.
    if (request.unsent && !request.isSettled) this.#remove(request);
    if (settle(request)) request.reject(error);
  }

  /** There will be no connection. */
  failAll(error: unknown): void {
    for (let { first } = this; first; first = this.first) this.#lose(first, error);
  }

  /** The connection is lost, and with it all that was on its way. */
  loseSent(cause: Error): void {
    // The reply that broke the framing is its own request's error; what stood behind it was only cut off.
    const isOwn = "code" in cause && cause.code === "ERR_FRAME_TOO_LARGE";
    if (isOwn && this.first) this.#lose(this.first, cause);
    for (let { first } = this; first && !first.unsent; first = this.first)
      this.#lose(first, this.#error("ECONNRESET", cause.message, cause));
  }

  #lose(request: Request, error: unknown): void {
    this.#remove(request);
    if (settle(request)) request.reject(error);
  }

  /** Resolves when there is none any more. */
  drained(): Promise<void> {
    if (!this.first) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #remove(request: Request): void {
    const { previous, next } = request;
    if (previous) previous.next = next;
    else this.first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    // One that is gone must not keep those behind it from the garbage collector.
    request.next = undefined;
    this.bytes -= request.bytes;
  }

  /** One timer for all: one for each would cost more than the request. */
  #armTimer(deadline: number): void {
    if (this.#timer && this.#timerUntil <= deadline) return;
    clearTimeout(this.#timer);
    this.#timerUntil = deadline;
    // Timers run before what has come meanwhile is read: judged is after that.
    this.#timer = setTimeout(setImmediate, Math.max(deadline - this.now, 1), () => this.#expire()).unref();
  }

  #expire(): void {
    this.#timer = undefined;
    // Timers count whole milliseconds of another clock, so they may come up to one early.
    this.now = performance.now() + 1;
    if (this.hasHeard) this.#listen();
    let next = this.#failOverdue();
    // Replies come in order: only for the first the other side can be blamed, the others wait for it.
    if (this.first && this.first.deadline <= this.now) {
      const silentMs = this.now - this.#heardAt;
      if (silentMs >= this.#timeoutMs) this.#onSilence(silentMs);
      else next = Math.min(next, this.#heardAt + this.#timeoutMs);
    }
    // Not for each of many: those that end within a moment of each other are told together.
    if (next !== Number.POSITIVE_INFINITY) this.#armTimer(Math.max(next, this.now + TOGETHER_MS));
  }

  /** From now on silence counts. */
  #listen(): void {
    this.#heardAt = this.now;
    this.hasHeard = false;
  }

  /** Returns when the next one is overdue. */
  #failOverdue(): number {
    let soonest = Number.POSITIVE_INFINITY;
    for (let { first: request } = this; request; ) {
      const { next, deadline, unsent, isSettled } = request;
      if (deadline <= this.now) this.fail(request, this.#tooLate(unsent));
      else if (!isSettled) soonest = Math.min(soonest, deadline);
      request = next;
    }
    return soonest;
  }

  #tooLate(unsent: Uint8Array | undefined): Error {
    return unsent
      ? this.#error("ENOTCONN", "there was no connection in time")
      : this.#error("ETIMEDOUT", "none came in time");
  }

  #error(code: string, why: string, cause?: Error): Error {
    return Object.assign(new Error(`Cannot get reply from ${this.#name}: ${why}`, cause && { cause }), { code });
  }
}

/** Whether it was not settled before. */
function settle(request: Request): boolean {
  if (request.isSettled) return false;
  request.isSettled = true;
  request.forget?.();
  return true;
}
