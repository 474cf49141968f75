import { createHmac, randomBytes } from "node:crypto";
import type { Packet, Token } from "./packet.ts";

/** Issues tokens and knows its own again, without remembering any: address validation, as in RFC 9000 section 8.1. */
export interface Tokens {
  /** A token for who says hello from this address. It is sent there: only who gets packets there can show it. */
  issue(peer: string, number: number): Token;
  /** Whether a packet may begin a session: its token was issued lately, to this address, for these numbers. */
  isFresh(peer: string, packet: Packet): boolean;
}

/** 10 s: how long a token may begin a session. Far above a round trip; a copy that comes later is not done. */
export const TOKEN_LIFETIME_MS = 10_000;

/** Tokens of one server. */
export function createTokens(): Tokens {
  // Anew in each process: what an earlier one issued is unknown to this one, and it says so.
  const secret = randomBytes(32);

  function prove(peer: string, number: number, issued: number): number {
    return createHmac("sha256", secret).update(`${peer} ${number} ${issued}`).digest().readUIntBE(0, 6);
  }

  return {
    issue(peer, number) {
      const issued = Math.floor(performance.now()) >>> 0;
      return { issued, proof: prove(peer, number, issued) };
    },
    isFresh(peer, { number, unfinished, issued, proof }) {
      const ageMs = (Math.floor(performance.now()) - issued) | 0;
      if (ageMs < 0 || ageMs > TOKEN_LIFETIME_MS) return false;
      // Nothing is finished yet, so the first unfinished request is the one behind the hello.
      return proof === prove(peer, number - unfinished - 1, issued);
    },
  };
}
