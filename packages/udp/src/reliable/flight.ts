import type { Socket } from "node:dgram";
import type { Welcome } from "./hello.ts";
import { encodePacket, PACKET, type Packet, WINDOW } from "./packet.ts";
import { RoundTrip } from "./round-trip.ts";

/** A request that has no reply yet. */
export class PendingRequest {
  readonly message: Uint8Array;
  /** When it is given up, in ms of `performance.now()`. */
  readonly deadline: number;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  /** Takes its listener off a signal. */
  forget: (() => void) | undefined;
  /** 0 while it waits for its turn. */
  number = 0;
  tries = 0;
  sentAt = 0;
  /** When it is sent again. */
  dueAt = 0;

  constructor(
    message: Uint8Array,
    deadline: number,
    resolve: PendingRequest["resolve"],
    reject: PendingRequest["reject"],
  ) {
    this.message = message;
    this.deadline = deadline;
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** Requests that are on their way, by what one server has welcomed us with. */
export class Flight {
  readonly welcome: Welcome;
  readonly #socket: Socket;
  readonly #maxPauseMs: number;
  readonly #roundTrip: RoundTrip;
  readonly #welcomedAt = performance.now();
  /** In the order of their numbers. */
  readonly #requests = new Map<number, PendingRequest>();
  #next: number;
  /** The server was told that all below it are finished. */
  #told: number;
  #isProven = false;

  constructor(socket: Socket, welcome: Welcome, maxPauseMs: number) {
    this.welcome = welcome;
    this.#socket = socket;
    this.#maxPauseMs = maxPauseMs;
    this.#roundTrip = new RoundTrip(welcome.roundTripMs);
    this.#next = welcome.number + 1;
    this.#told = this.#next;
  }

  get size(): number {
    return this.#requests.size;
  }

  /** Whether a request more fits between the first unfinished one and the last. */
  get hasRoom(): boolean {
    return this.#next - this.#firstUnfinished < WINDOW;
  }

  /** A token that was never used is worth something for 10 s only; half of that is for the way. */
  get isStale(): boolean {
    return !this.#isProven && this.size === 0 && performance.now() - this.#welcomedAt > 5_000;
  }

  /** Before the server has answered it is the very first, given up or not: by that the server knows its token again. */
  get #firstUnfinished(): number {
    if (!this.#isProven) return this.welcome.number + 1;
    const [first = this.#next] = this.#requests.keys();
    return first;
  }

  /** Sends a request for the first time. */
  send(request: PendingRequest, now: number): void {
    request.number = this.#next++;
    this.#requests.set(request.number, request);
    this.#transmit(request, now);
  }

  /** Takes a request off. @returns Whether it was on its way. */
  delete(request: PendingRequest): boolean {
    return this.#requests.delete(request.number);
  }

  /** Finds the request that a reply is for, and takes it off; `undefined` for a reply that is late or doubled. */
  land(number: number): PendingRequest | undefined {
    const request = this.#requests.get(number);
    if (!request) return undefined;
    this.#requests.delete(number);
    this.#isProven = true;
    if (request.tries === 1) this.#roundTrip.add(performance.now() - request.sentAt);
    return request;
  }

  /** Whether a packet shows the token of our server. */
  isOurs({ issued, proof }: Packet): boolean {
    return issued === this.welcome.issued && proof === this.welcome.proof;
  }

  /** Sends again what is due. @returns When the next one is, in ms of `performance.now()`. */
  repeat(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const request of this.#requests.values()) {
      if (request.dueAt <= now) this.#transmit(request, now);
      next = Math.min(next, request.dueAt, request.deadline);
    }
    return next;
  }

  /** Tells the server that we have all replies, once: it need not keep them any longer. */
  tellDone(): void {
    const first = this.#firstUnfinished;
    if (this.#told === first) return;
    this.#told = first;
    this.#socket.send(encodePacket(PACKET.done, first, 0, this.welcome));
  }

  [Symbol.iterator](): IterableIterator<PendingRequest> {
    return this.#requests.values();
  }

  #transmit(request: PendingRequest, now: number) {
    const first = this.#firstUnfinished;
    this.#told = first;
    request.tries++;
    request.sentAt = now;
    request.dueAt = now + this.#roundTrip.pauseMs(request.tries, this.#maxPauseMs);
    const { number, message } = request;
    // Made anew each time: it also tells which replies the server need not keep any longer.
    this.#socket.send(encodePacket(PACKET.request, number, number - first, this.welcome, message));
  }
}
