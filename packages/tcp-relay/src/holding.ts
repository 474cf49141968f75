import type { Socket } from "node:net";
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
  readonly #waiting = new Set<() => void>();

  constructor(maxBytes: number, delivered: Delivered) {
    this.#maxBytes = maxBytes;
    this.#delivered = delivered;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** Resolves when it is not full any more, or when whoever waits for that is gone. */
  room(socket: Socket): Promise<void> {
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        this.#waiting.delete(end);
        socket.off("close", end);
        resolve();
      };
      this.#waiting.add(end);
      socket.once("close", end);
    });
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
    this.#bytes += first.join(replies, number);
    this.#wake();
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
    this.#bytes -= held.bytes;
    this.#wake();
  }

  #wake(): void {
    if (this.isFull || this.#waiting.size === 0) return;
    for (const end of [...this.#waiting]) end();
  }
}

/** A message until it is answered; a parcel while it is passed on. When the link is closed, its sender still has it. */
export class Held implements Parcel {
  readonly key: string;
  readonly hops: number;
  /** Bytes that it counts for. */
  bytes: number;
  readonly frame: Uint8Array;
  readonly replies: Replies;
  /** Who else is to be answered. */
  #again: { replies: Replies; number: number }[] | undefined;
  #lookAt = 2;
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

  /**
   * The same message has come once more: after a cut, its sender does not know that we have it.
   *
   * @returns By how many bytes it counts for more; less than none when some are gone.
   */
  join(replies: Replies, number: number): number {
    const before = this.#again ?? [];
    let again = before;
    if (before.length >= this.#lookAt) {
      // Who comes again and again, and dies each time, leaves nothing. Not looked at each time: they may be many.
      again = before.filter((one) => !one.replies.isGone);
      this.#lookAt = 2 * again.length + 2;
    }
    const more = (again.length + 1 - before.length) * MESSAGE_BYTES;
    again.push({ replies, number });
    this.#again = again;
    this.bytes += more;
    return more;
  }

  accepted(): void {
    this.#holding.remove(this);
    this.replies.accept(this.#number);
    for (const { replies, number } of this.#again ?? []) replies.accept(number);
  }

  refused(reason: string): void {
    this.#holding.remove(this);
    this.replies.refuse(this.#number, reason);
    for (const { replies, number } of this.#again ?? []) replies.refuse(number, reason);
  }
}

const NOTHING = new Uint8Array(0);
