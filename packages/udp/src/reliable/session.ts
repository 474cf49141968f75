import type { RemoteInfo } from "node:dgram";
import type { Packet, Token } from "./packet.ts";
import { TOKEN_LIFETIME_MS } from "./tokens.ts";

/** A request that was taken; its answer, once there is one. */
export interface Execution {
  readonly session: Session;
  readonly number: number;
  /** Where the answer goes. */
  readonly from: RemoteInfo;
  /** What it holds, in bytes. */
  bytes: number;
  answer: Buffer | undefined;
}

/** What a server knows of one client: what it has done for it, for as long as the client may ask for it again. */
export class Session {
  /** By number. */
  readonly executions = new Map<number, Execution>();
  /** The client waits for none below it: what still comes of those are copies. */
  floor: number;
  readonly token: Token;
  readonly #beganAt = performance.now();

  constructor({ issued, proof, number, unfinished }: Packet) {
    this.token = { issued, proof };
    this.floor = number - unfinished;
  }

  knows({ issued, proof }: Token): boolean {
    return proof === this.token.proof && issued === this.token.issued;
  }

  /** Whether it may be forgotten: sooner, a copy of its first packet could begin it again, and be done twice. */
  get isForgettable(): boolean {
    return performance.now() - this.#beganAt > TOKEN_LIFETIME_MS;
  }

  /** Whether a fresh token was issued after this one's: its client took the place of this one's, at the same port. */
  isBefore({ issued }: Token): boolean {
    return this.isForgettable || ((issued - this.token.issued) | 0) > 0;
  }

  /** Forgets what the client has the answers of. @returns How many bytes that frees. */
  finish(floor: number): number {
    if (floor <= this.floor) return 0;
    // A client that gave many up may be far ahead: never more steps than there are executions.
    const numbers = floor - this.floor <= this.executions.size ? range(this.floor, floor) : this.executions.keys();
    let freed = 0;
    for (const number of numbers) if (number < floor) freed += this.#forget(number);
    this.floor = floor;
    return freed;
  }

  /** Forgets everything. @returns How many bytes that frees. */
  clear(): number {
    return this.finish(Number.POSITIVE_INFINITY);
  }

  #forget(number: number): number {
    const bytes = this.executions.get(number)?.bytes ?? 0;
    this.executions.delete(number);
    return bytes;
  }
}

function* range(from: number, to: number): Generator<number> {
  for (let number = from; number < to; number++) yield number;
}
