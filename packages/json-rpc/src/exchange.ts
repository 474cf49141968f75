import { invalidResponse, type Response } from "./protocol.ts";

/** How a call ended: what it gave, or why it failed. */
export type Outcome = PromiseSettledResult<unknown>;

/**
 * A message on its way, and the outcome of each of its requests: a call and a notification have one, a batch has many.
 * Their ids are `firstId` and those that follow.
 */
export class Exchange {
  /** The message. */
  readonly bytes: Buffer;
  /** What it counts for while it is on its way. */
  readonly size: number;
  readonly firstId: number;
  /** Of those of its requests that are answered. */
  readonly ids: readonly number[];
  /** Nobody is there yet to take it. */
  isWaiting = false;
  /** It was handed to a connection: whether it was executed is not known until it is answered. */
  isSent = false;
  /** Every request of it has ended, one way or the other. */
  isDone = false;
  /** When waiting for it is over, in ms of `performance.now()`. */
  deadline = 0;
  /** Its place among what is on its way. */
  place = 0;
  /** What carries it, where that is to be told that it has ended. */
  carrier: { cancel(): void } | undefined;
  /** Takes back what listens for its signal. */
  forgetSignal: (() => void) | undefined;
  readonly #outcomes: Outcome[];
  readonly #onDone: (outcomes: readonly Outcome[]) => void;
  #left: number;

  /** @param onDone Is called once, when all has ended. */
  constructor(
    text: string,
    firstId: number,
    count: number,
    ids: readonly number[],
    onDone: (outcomes: readonly Outcome[]) => void,
  ) {
    this.bytes = Buffer.from(text);
    this.size = this.bytes.length + REQUEST_BYTES * count;
    this.firstId = firstId;
    this.ids = ids;
    this.#onDone = onDone;
    this.#outcomes = new Array(count).fill(NOTIFIED);
    for (const id of ids) this.#outcomes[id - firstId] = PENDING;
    this.#left = ids.length;
  }

  /** Takes a reply. Returns whether a call of this message was waiting for it. */
  reply(response: Response): boolean {
    const index = Number(response.id) - this.firstId;
    if (this.isDone || this.#outcomes[index] !== PENDING) return false;
    this.#outcomes[index] =
      "error" in response
        ? { status: "rejected", reason: response.error }
        : { status: "fulfilled", value: response.result };
    if (--this.#left === 0) this.#end();
    return true;
  }

  /** No more replies will come: a call that has none has failed, a notification is done. */
  finish(): void {
    if (this.#left > 0) this.fail(invalidResponse("it leaves out the reply to a call"));
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
    this.#onDone(this.#outcomes);
  }
}

/** What a request counts for beside its text. */
const REQUEST_BYTES = 64;

const PENDING: Outcome = { status: "fulfilled", value: undefined };
const NOTIFIED: Outcome = { status: "fulfilled", value: undefined };
