import type { Doubles } from "./doubles.ts";
import type { Parcel } from "./link.ts";
import { MESSAGE_BYTES } from "./outbox.ts";
import { keyOf, type Message } from "./protocol.ts";
import type { Replies } from "./replies.ts";

/**
 * What a peer has taken and not answered yet: the queue between its server and its link. Who sends more waits, since
 * its connection is not read from meanwhile.
 */
export class Holding {
  readonly #maxBytes: number;
  readonly #delivered: Doubles;
  readonly #held = new Map<string, Held>();
  #bytes = 0;
  #waiting: (() => void)[] = [];

  /** @param delivered What was answered here before; the holder adds to it. */
  constructor(maxBytes: number, delivered: Doubles) {
    this.#maxBytes = maxBytes;
    this.#delivered = delivered;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** Resolves when it is not full any more. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Takes a message that is to be answered under `number`.
   *
   * @returns `undefined` for one that came before: it has its answer, or gets that of the first.
   * @throws {Error} when it is not sent again but has come round.
   */
  take(message: Message, frameBytes: number, replies: Replies, number: number): Held | undefined {
    const key = keyOf(message);
    const before = this.#held.get(key);
    if (!before && !this.#delivered.has(key)) {
      const held = new Held(this, key, message.hops, frameBytes + MESSAGE_BYTES, replies, number);
      this.#held.set(key, held);
      this.#bytes += held.bytes;
      return held;
    }
    if (!before) {
      replies.accept(number);
    } else if (message.hops <= before.hops) {
      before.join(replies, number);
      this.#bytes += MESSAGE_BYTES;
    } else {
      throw new Error(`it came round in ${message.hops - before.hops} hops, and nobody took it`);
    }
    return undefined;
  }

  remove({ key, bytes }: Held): void {
    this.#held.delete(key);
    this.#bytes -= bytes;
    if (this.isFull || this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** A message until it is answered; a parcel while it is passed on. */
export class Held implements Parcel {
  readonly key: string;
  readonly hops: number;
  bytes: number;
  /** For the next peer. */
  frame: Uint8Array = NOTHING;
  readonly #holding: Holding;
  readonly #replies: Replies;
  readonly #number: number;
  /** Where it came again meanwhile. */
  #again: { replies: Replies; number: number }[] | undefined;

  constructor(holding: Holding, key: string, hops: number, bytes: number, replies: Replies, number: number) {
    this.key = key;
    this.hops = hops;
    this.bytes = bytes;
    this.#holding = holding;
    this.#replies = replies;
    this.#number = number;
  }

  /** Whose connection it came over. */
  get peer(): string {
    return this.#replies.peer;
  }

  /** It came once more: after a cut, its sender does not know that we have it. The answer is for this one, too. */
  join(replies: Replies, number: number): void {
    this.#again ??= [];
    this.#again.push({ replies, number });
    this.bytes += MESSAGE_BYTES;
  }

  accepted(): void {
    this.#holding.remove(this);
    this.#replies.accept(this.#number);
    if (this.#again) for (const { replies, number } of this.#again) replies.accept(number);
  }

  refused(reason: string): void {
    this.#holding.remove(this);
    this.#replies.refuse(this.#number, reason);
    if (this.#again) for (const { replies, number } of this.#again) replies.refuse(number, reason);
  }

  /** It had no answer: its sender still has it. */
  abandoned(): void {}
}

const NOTHING = new Uint8Array(0);
