/**
 * `ipc.session.v1`: messages in numbered envelopes, each side's from 1. Both keep what they have sent until the other has
 * said that it is there; after a cut they tell each other what came last and send the rest again. One text frame each:
 *
 * - `{"hello":{"session":null,"last":0}}`: the client's first. To go on, the session's id and the number of the last message
 *   that has come.
 * - `{"welcome":{"session":"…","last":0,"gone":0}}`: the server's answer. Another id than the one asked for: it does not know
 *   that session any more. `gone` messages after the client's `last` are not kept any more.
 * - `{"seq":1,"data":…}`: a message.
 * - `{"ack":17}`: all up to 17 have come. `{"ping":17}` says the same and wants a `{"pong":n}`, likewise: a heartbeat for
 *   browsers, whose pages cannot ping.
 *
 * @module
 */
import { CLOSE, MalformedError } from "./protocol.ts";

/** One frame. */
export type SessionFrame =
  | { type: "data"; seq: number; data: unknown }
  | { type: "ack" | "ping" | "pong"; last: number }
  | { type: "hello"; session: string | undefined; last: number }
  | { type: "welcome"; session: string; last: number; gone: number };

/** Bytes of an envelope at most: `{"seq":9007199254740991,"data":}`. */
export const ENVELOPE_BYTES = 32;

/** Bytes of a hello or a welcome at most: an id of 64 and two numbers. */
export const WELCOME_BYTES = 160;

/** An `ack` after this many messages: the sender need not keep more. */
const ACK_EVERY = 64;

/** What is kept of what was sent. */
export interface KeepLimits {
  /** Messages at most. */
  keepMessages: number;
  /** Characters of their frames at most. */
  keepBytes: number;
}

/** One end's books: what it has sent and the other side may still ask for, in order, and what has come. */
export class SessionBooks {
  /** The number of the last message that has come. */
  received = 0;
  readonly #limits: KeepLimits;
  #frames: string[] = [];
  #first = 1;
  #size = 0;

  constructor(limits: KeepLimits) {
    this.#limits = limits;
  }

  /** The number of the last message that was sent. */
  get last(): number {
    return this.#first + this.#frames.length - 1;
  }

  /** How many are kept. */
  get length(): number {
    return this.#frames.length;
  }

  /** Characters of all of them. */
  get bytes(): number {
    return this.#size;
  }

  /** Whether one more of this length would push out the oldest. */
  isFull(length: number): boolean {
    const { keepMessages, keepBytes } = this.#limits;
    return this.#frames.length >= keepMessages || (this.#size + length > keepBytes && this.#frames.length > 0);
  }

  /** Numbers a message and keeps it, in place of the oldest where there are too many. @returns its frame. */
  add(data: string): string {
    while (this.#frames.length > 0 && this.isFull(data.length)) this.#forget();
    const frame = `{"seq":${this.last + 1},"data":${data}}`;
    this.#frames.push(frame);
    this.#size += frame.length;
    return frame;
  }

  #forget() {
    this.#size -= this.#frames.shift()?.length ?? 0;
    this.#first++;
  }

  /** All up to `last` have come: they are forgotten. @throws {MalformedError} when they were never sent. */
  confirm(last: number): void {
    if (last > this.last) throw notAFrame(`it confirms ${last}, ${this.last} were sent`);
    while (this.#first <= last) this.#forget();
  }

  /** Those after `last` that are kept. */
  after(last: number): readonly string[] {
    return this.#frames.slice(Math.max(0, last + 1 - this.#first));
  }

  /** How many after `last` are not kept any more. */
  goneAfter(last: number): number {
    return Math.max(0, this.#first - 1 - last);
  }

  /**
   * Takes a frame that came.
   *
   * @param send For what has to be answered at once.
   * @returns Whether it is a message that has not come before.
   * @throws {MalformedError} for what may not come now.
   */
  accept(frame: SessionFrame, send: (text: string) => void): frame is SessionFrame & { type: "data" } {
    if (frame.type === "data") {
      // Sent again after a cut, though it had come.
      if (frame.seq <= this.received) return false;
      if (frame.seq !== this.received + 1) throw notAFrame(`${frame.seq} came after ${this.received}`);
      this.received = frame.seq;
      if (frame.seq % ACK_EVERY === 0) send(`{"ack":${frame.seq}}`);
      return true;
    }
    if (frame.type === "hello" || frame.type === "welcome") throw notAFrame(`there is no ${frame.type} here`);
    this.confirm(frame.last);
    if (frame.type === "ping") send(`{"pong":${this.received}}`);
    return false;
  }
}

/**
 * Reads a frame, given its JSON.
 *
 * @throws {MalformedError} for what is none.
 */
export function parseFrame(value: unknown): SessionFrame {
  const frame = fieldsOf(value);
  if (isCount(frame["seq"]) && "data" in frame) return { type: "data", seq: frame["seq"], data: frame["data"] };
  for (const type of COUNTS) {
    const last = frame[type];
    if (isCount(last)) return { type, last };
  }
  const { session, last, gone } = fieldsOf(frame["hello"] ?? frame["welcome"]);
  if (frame["hello"] && isCount(last) && (session === null || isId(session))) {
    return { type: "hello", session: session ?? undefined, last };
  }
  if (frame["welcome"] && isCount(last) && isCount(gone) && isId(session)) {
    return { type: "welcome", session, last, gone };
  }
  throw notAFrame("it is none of ipc.session.v1");
}

const COUNTS = ["ack", "ping", "pong"] as const;

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 64;
}

/** The error for a frame that cannot be. */
export function notAFrame(why: string): MalformedError {
  return new MalformedError(CLOSE.notSession, `Cannot read frame: ${why}`);
}
