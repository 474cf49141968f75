import type { Exchange } from "./exchange.ts";

/** What is on its way: which, how much, and until when. One timer for all of it: one for each would cost more than a call. */
export class InFlight {
  readonly #all: Exchange[] = [];
  /**
   * By id, the latest; those that they displace go to a Map. Not all to a Map: V8 builds it anew every hundred calls, and
   * an old one that the garbage collector has not reached yet keeps those after it alive, with all that is in them.
   */
  readonly #latest: (Exchange | undefined)[] = new Array(LATEST).fill(undefined);
  readonly #ids: number[] = new Array(LATEST).fill(0);
  readonly #older = new Map<number, Exchange>();
  readonly #onExpired: (exchange: Exchange) => void;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerUntil = 0;
  #onEmpty: (() => void) | undefined;

  /** @param onExpired Is called for what is over its deadline, and ends it. */
  constructor(onExpired: (exchange: Exchange) => void) {
    this.#onExpired = onExpired;
  }

  /** What all of it counts for. */
  get bytes(): number {
    return this.#bytes;
  }

  /** In no order. */
  get all(): readonly Exchange[] {
    return this.#all;
  }

  add(exchange: Exchange): void {
    exchange.place = this.#all.push(exchange) - 1;
    this.#bytes += exchange.size;
    for (const id of exchange.ids) {
      const slot = id % LATEST;
      const displaced = this.#latest[slot];
      if (displaced) this.#older.set(this.#ids[slot] ?? 0, displaced);
      this.#latest[slot] = exchange;
      this.#ids[slot] = id;
    }
    this.#arm(exchange.deadline);
  }

  /** What has a call of this id. */
  find(id: number): Exchange | undefined {
    const slot = id % LATEST;
    return this.#ids[slot] === id ? this.#latest[slot] : this.#older.get(id);
  }

  delete(exchange: Exchange): void {
    const last = this.#all.pop() ?? exchange;
    if (last !== exchange) this.#all[exchange.place] = last;
    last.place = exchange.place;
    this.#bytes -= exchange.size;
    for (const id of exchange.ids) {
      const slot = id % LATEST;
      if (this.#ids[slot] === id) this.#latest[slot] = undefined;
      else this.#older.delete(id);
    }
    if (this.#all.length === 0) this.#onEmpty?.();
  }

  /** Resolves when nothing is on its way any more, at the latest after so long. */
  async drained(withinMs: number): Promise<void> {
    if (this.#all.length === 0) return;
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
    const ms = Math.max(deadline - performance.now(), 1);
    // Timers run before what has come meanwhile is read: judged is after that.
    this.#timer = setTimeout(() => setImmediate(() => this.#expire()), ms).unref();
  }

  #expire() {
    this.#timer = undefined;
    // Timers count whole milliseconds of another clock, so they may come up to one early.
    const now = performance.now() + 1;
    let next = Number.POSITIVE_INFINITY;
    for (const exchange of [...this.#all]) {
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
