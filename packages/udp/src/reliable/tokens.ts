import { createHmac, randomBytes } from "node:crypto";

/** 10 s: how long a token may begin a session. Far above a round trip; a copy that comes later is not done. */
export const TOKEN_LIFETIME_MS = 10_000;

/**
 * Issues tokens and knows its own again, without remembering any: 6 bytes of time in µs, and 6 of a keyed hash over
 * that and the address. Only who gets packets at an address can show its token (RFC 9000 section 8.1).
 */
export class Tokens {
  // Anew in each process: what an earlier one issued is unknown to this one, and it says so.
  readonly #secret = randomBytes(32);

  issue(peer: string): string {
    return this.#make(peer, Math.floor(performance.now() * 1_000));
  }

  /** Whether it was issued to this address, lately. */
  isFresh(token: string, peer: string): boolean {
    const issuedUs = Buffer.from(token, "latin1").readUIntBE(0, 6);
    return performance.now() - issuedUs / 1_000 <= TOKEN_LIFETIME_MS && token === this.#make(peer, issuedUs);
  }

  #make(peer: string, issuedUs: number): string {
    const token = createHmac("sha256", this.#secret).update(`${peer} ${issuedUs}`).digest().subarray(0, 12);
    token.writeUIntBE(issuedUs, 0, 6);
    return token.toString("latin1");
  }
}
