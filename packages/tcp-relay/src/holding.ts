import type { Delivered } from "./delivered.ts";
import { type Parcel, RENEW_AFTER } from "./link.ts";
import { MESSAGE_BYTES } from "./outbox.ts";
import type { Envelope } from "./protocol.ts";
import type { Replies } from "./replies.ts";

/**
 * What a peer has taken and not answered yet: the queue between its server and its link. Who sends more waits, since
 * its connection is not read from meanwhile.
 */
export class Holding {
  readonly #maxBytes: number;
  readonly #delivered: Delivered;
  #held = new Map<string, Held>();
  #taken = 0;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(maxBytes: number, delivered: Delivered) {
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
   * Whether a message came before: it has its answer, or gets that of the first.
   *
   * @throws {Error} when it is not sent again but has come round.
   */
  knows(envelope: Envelope, replies: Replies, number: number): boolean {
    const first = this.#held.get(envelope.key);
    // Only then: what has been delivered and is not in the file yet is still held.
    const hasAnswer = !first && this.#delivered.has(envelope.key);
    if (hasAnswer) replies.accept(number);
    if (!first) return hasAnswer;
    const hops = envelope.hops - first.hops;
    if (hops > 0) throw new Error(`it came round in ${hops} hops, and nobody took it`);
    const held = new Held(this, envelope, replies, number);
    held.bytes = MESSAGE_BYTES;
    held.again = first.again;
    first.again = held;
    this.#bytes += held.bytes;
    return true;
  }

  /** Takes a message that is to be answered under `number`. @param next As it is passed on. */
  take(envelope: Envelope, replies: Replies, number: number, next?: Uint8Array): Held {
    const held = new Held(this, envelope, replies, number, next);
    if (++this.#taken % RENEW_AFTER === 0) this.#held = new Map(this.#held);
    this.#held.set(held.key, held);
    this.#bytes += held.bytes;
    return held;
  }

  /** Forgets a message and all that joined it. */
  remove(held: Held): void {
    this.#held.delete(held.key);
    for (let one: Held | undefined = held; one; one = one.again) this.#bytes -= one.bytes;
    if (this.isFull || this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** A message until it is answered; a parcel while it is passed on. When the link is closed, its sender still has it. */
export class Held implements Parcel {
  readonly key: string;
  readonly hops: number;
  /** Bytes that it counts for. */
  bytes: number;
  readonly frame: Uint8Array;
  /** The same message, come once more: after a cut, its sender does not know that we have it. */
  again: Held | undefined;
  readonly replies: Replies;
  readonly #holding: Holding;
  readonly #number: number;

  constructor(
    holding: Holding,
    { key, hops, frame }: Envelope,
    replies: Replies,
    number: number,
    next: Uint8Array = NOTHING,
  ) {
    this.frame = next;
    this.key = key;
    this.bytes = frame.length + MESSAGE_BYTES;
    this.replies = replies;
    this.#holding = holding;
    this.hops = hops;
    this.#number = number;
  }

  accepted(): void {
    this.#holding.remove(this);
    for (let one: Held | undefined = this; one; one = one.again) one.replies.accept(one.#number);
  }

  refused(reason: string): void {
    this.#holding.remove(this);
    for (let one: Held | undefined = this; one; one = one.again) one.replies.refuse(one.#number, reason);
  }
}

const NOTHING = new Uint8Array(0);
