import { invalidResponse, type Outcome, outcomeOf, type Params, requestText } from "./protocol.ts";

/** One request of a message. */
export interface BatchRequest {
  method: string;
  params?: Params | undefined;
  /** Is not answered; its outcome is `undefined`. @default {false} */
  isNotification?: boolean | undefined;
}

/**
 * A message on its way, and the outcome of each of its requests: a call and a notification have one, a batch has many.
 * Their ids are `firstId` and those that follow.
 */
export class Exchange {
  /** The message. */
  readonly bytes: Buffer;
  readonly firstId: number;
  readonly count: number;
  /** Nobody is there yet to take it. */
  isWaiting = false;
  /** It was handed to a connection: whether it was executed is not known until it is answered. */
  isSent = false;
  /** Every request of it has ended, one way or the other. */
  isDone = false;
  /** When waiting for it is over, in ms of `performance.now()`. */
  deadline = 0;
  /** Takes back what listens for its signal. */
  forgetSignal: (() => void) | undefined;
  /** What carries it wants to know when nobody waits for it any more. */
  onForgotten: (() => void) | undefined;
  /** Called once, when all has ended. */
  onDone: ((outcomes: readonly Outcome[]) => void) | undefined;
  readonly #outcomes: Outcome[];
  #left = 0;

  /** @param isBatch An array on the wire, even of one. */
  constructor(requests: readonly BatchRequest[], isBatch: boolean, firstId: number) {
    this.firstId = firstId;
    this.count = requests.length;
    this.#outcomes = new Array(requests.length);
    let text = isBatch ? "[" : "";
    for (let index = 0; index < requests.length; index++) {
      const { method, params, isNotification = false } = requests[index] as BatchRequest;
      if (index > 0) text += ",";
      text += requestText(method, params, isNotification ? undefined : firstId + index);
      this.#outcomes[index] = isNotification ? NOTIFIED : PENDING;
      if (!isNotification) this.#left++;
    }
    this.bytes = Buffer.from(isBatch ? `${text}]` : text);
  }

  /** What it counts for while it is on its way. */
  get size(): number {
    return this.bytes.length + REQUEST_BYTES * this.count;
  }

  /** Whether one of its requests has this id. */
  has(id: number): boolean {
    return id >= this.firstId && id < this.firstId + this.count;
  }

  /** Whether replies to it are still to come. */
  get isOwed(): boolean {
    return this.#left > 0;
  }

  /** Takes a reply. Returns whether a call of this message was waiting for it. */
  settle(id: unknown, reply: unknown): boolean {
    const index = Number(id) - this.firstId;
    if (typeof id !== "number" || this.isDone || this.#outcomes[index] !== PENDING) return false;
    this.#outcomes[index] = outcomeOf(reply);
    if (--this.#left === 0) this.#end();
    return true;
  }

  /** No more replies will come: a call that has none has failed, a notification is done. */
  finish(): void {
    if (this.isOwed) this.fail(invalidResponse("it leaves out the reply to a call"));
    else this.#end();
  }

  /** Ends what has not ended yet. */
  fail(reason: unknown): void {
    if (this.isDone) return;
    for (const [index, outcome] of this.#outcomes.entries()) {
      if (outcome === PENDING || outcome === NOTIFIED) this.#outcomes[index] = { status: "rejected", reason };
    }
    this.#end();
  }

  #end() {
    if (this.isDone) return;
    this.isDone = true;
    this.forgetSignal?.();
    this.onForgotten?.();
    this.onDone?.(this.#outcomes);
  }
}

/** What a request counts for beside its text. */
const REQUEST_BYTES = 64;

const PENDING: Outcome = { status: "fulfilled", value: undefined };
const NOTIFIED: Outcome = { status: "fulfilled", value: undefined };

/** All that is on its way, until when. One timer for all of it: one for each would cost more than the call. */
export class InFlight {
  /** By their first id, the latest; those that they displace go to a Map. All in a Map would double what a call costs. */
  readonly #latest: (Exchange | undefined)[] = new Array(LATEST).fill(undefined);
  readonly #older = new Map<number, Exchange>();
  readonly #batches = new Set<Exchange>();
  readonly #onExpired: (exchange: Exchange) => void;
  #timer: NodeJS.Timeout | undefined;
  #timerUntil = 0;
  #onEmpty: (() => void) | undefined;
  /** Messages. */
  count = 0;
  /** What all of it counts for, in bytes. */
  bytes = 0;

  /** @param onExpired Is called for what is over its deadline, and ends it. */
  constructor(onExpired: (exchange: Exchange) => void) {
    this.#onExpired = onExpired;
  }

  get all(): readonly Exchange[] {
    return [...this.#older.values(), ...this.#latest.filter((exchange) => exchange !== undefined)];
  }

  /** What has a request of this id. */
  find(id: unknown): Exchange | undefined {
    if (typeof id !== "number") return undefined;
    const found = this.#latest[id % LATEST];
    if (found?.firstId === id) return found;
    for (const batch of this.#batches) if (batch.has(id)) return batch;
    return this.#older.get(id);
  }

  add(exchange: Exchange): void {
    const slot = exchange.firstId % LATEST;
    const displaced = this.#latest[slot];
    if (displaced) this.#older.set(displaced.firstId, displaced);
    this.#latest[slot] = exchange;
    if (exchange.count > 1) this.#batches.add(exchange);
    this.count++;
    this.bytes += exchange.size;
    this.#arm(exchange.deadline);
  }

  delete(exchange: Exchange): void {
    const slot = exchange.firstId % LATEST;
    if (this.#latest[slot] === exchange) this.#latest[slot] = undefined;
    else this.#older.delete(exchange.firstId);
    if (exchange.count > 1) this.#batches.delete(exchange);
    this.bytes -= exchange.size;
    if (--this.count === 0) this.#onEmpty?.();
  }

  /** Resolves when nothing is on its way any more, at the latest after so long. */
  async drained(withinMs: number): Promise<void> {
    if (this.count === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = setTimeout(resolve, withinMs);
    });
    clearTimeout(timer);
  }

  #arm(deadline: number) {
    if (this.#timer && this.#timerUntil <= deadline) return;
    clearTimeout(this.#timer);
    this.#timerUntil = deadline;
    // Timers run before what has come meanwhile is read: judged is after that.
    this.#timer = setTimeout(setImmediate, Math.max(deadline - performance.now(), 1), () => this.#expire()).unref();
  }

  #expire() {
    this.#timer = undefined;
    // Timers count whole milliseconds of another clock, so they may come up to one early.
    const now = performance.now() + 1;
    let next = Number.POSITIVE_INFINITY;
    for (const exchange of this.all) {
      if (exchange.deadline <= now) this.#onExpired(exchange);
      else next = Math.min(next, exchange.deadline);
    }
    // Not for each of many: those that end within a moment of each other are told together.
    if (next !== Number.POSITIVE_INFINITY) this.#arm(Math.max(next, now + TOGETHER_MS));
  }
}

/** 1,024: more than most programs have on their way at once. */
const LATEST = 1_024;

/** 10 ms: no clock by which people measure timeouts is finer. */
const TOGETHER_MS = 10;
