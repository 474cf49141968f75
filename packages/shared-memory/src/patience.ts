import { countEnds, type Side } from "./ends.ts";
import type { RingMemory } from "./memory.ts";
import { ringError } from "./ring-error.ts";

/** How long to wait for the other side. */
export interface PatienceOptions {
  /** The other side, which is there, does nothing for so long, in ms; 0 is no limit. */
  silenceMs: number;
  /** Nobody has opened the other end, or who did is gone, in ms; 0 fails at once. */
  waitMs: number;
}

/** One wait: begins with the first `leftMs()`, and anew with each sign of life. */
export class Patience {
  readonly #memory: RingMemory;
  readonly #awaited: Side;
  readonly #options: PatienceOptions;
  #since = performance.now();
  #sign: string | undefined;
  /** Nobody is at the other end. */
  isAlone = false;

  constructor(memory: RingMemory, awaited: Side, options: PatienceOptions) {
    this.#memory = memory;
    this.#awaited = awaited;
    this.#options = options;
  }

  /**
   * @param index The other side's index: as long as it moves, the other side is alive.
   * @throws {Error} `ETIMEDOUT`, `ENOTCONN`, `EOWNERDEAD` at the end of it.
   */
  leftMs(index: number): number {
    const { open, lost } = countEnds(this.#memory, this.#awaited);
    const { silenceMs, waitMs } = this.#options;
    this.isAlone = open === 0;
    const now = performance.now();
    const sign = `${index} ${this.isAlone}`;
    if (sign !== this.#sign) this.#since = now;
    this.#sign = sign;
    const limitMs = this.isAlone ? waitMs : silenceMs || Number.POSITIVE_INFINITY;
    const leftMs = limitMs - (now - this.#since);
    if (leftMs > 0) return leftMs;
    if (!this.isAlone) throw tooLong("ETIMEDOUT", this.#awaited, `it did nothing for ${limitMs} ms`);
    if (lost > 0) throw tooLong("EOWNERDEAD", this.#awaited, "its thread ended without closing it");
    throw tooLong("ENOTCONN", this.#awaited, `nobody opened it within ${limitMs} ms`);
  }
}

function tooLong(code: "ETIMEDOUT" | "EOWNERDEAD" | "ENOTCONN", awaited: Side, why: string): Error {
  return ringError(code, `Cannot wait for the ${awaited} any longer: ${why}`);
}
