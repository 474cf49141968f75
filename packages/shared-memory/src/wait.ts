import { Bell } from "./bell.ts";
import { countEnds, type Side } from "./ends.ts";
import { AT, type RingMemory } from "./memory.ts";
import { ringError } from "./ring-error.ts";

/** How long to wait for the other side. */
export interface Patience {
  /** The other side, which is there, does nothing for so long, in ms; 0 is no limit. */
  silenceMs: number;
  /** Nobody has opened the other end, or who did is gone, in ms; 0 fails at once. */
  waitMs: number;
  /** Called when nobody is at the other end, once a wait. */
  onAlone: () => void;
}

/**
 * One wait for the other side, which listens from its beginning: look; when there is nothing, `block()`, and look
 * again. What happens between the look and the sleep is not missed (`bell.ts`).
 */
export class Wait {
  readonly #memory: RingMemory;
  readonly #awaited: Side;
  readonly #patience: Patience;
  readonly #bell: Bell;
  readonly #startedAt = performance.now();
  #heard: number;
  #isAlone = false;
  #sign: string | undefined;
  #signAt = 0;

  constructor(memory: RingMemory, awaited: Side, patience: Patience) {
    this.#memory = memory;
    this.#awaited = awaited;
    this.#patience = patience;
    this.#bell = new Bell(memory.words, awaited === "reader" ? AT.roomBell : AT.dataBell);
    this.#heard = this.#bell.listen();
  }

  /**
   * Sleeps until something has happened.
   * @throws {Error} `ETIMEDOUT`, `ENOTCONN`, `EOWNERDEAD` at the end of patience.
   */
  block(): void {
    this.#bell.sleep(this.#heard, this.#leftMs());
    this.#heard = this.#bell.listen();
  }

  /** The same without blocking the thread. */
  async blockAsync(): Promise<void> {
    await this.#bell.sleepAsync(this.#heard, this.#leftMs());
    this.#heard = this.#bell.listen();
  }

  /** How long it has taken until now. */
  get tookMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Time begins anew with each sign of life: as long as the other side's index moves, it is alive. */
  #leftMs(): number {
    const { silenceMs, waitMs, onAlone } = this.#patience;
    const { open, lost } = countEnds(this.#memory, this.#awaited);
    if (open === 0 && !this.#isAlone) onAlone();
    this.#isAlone = open === 0;
    const index = Atomics.load(this.#memory.words, this.#awaited === "reader" ? AT.head : AT.tail);
    const sign = `${index} ${this.#isAlone}`;
    const now = performance.now();
    if (sign !== this.#sign) this.#signAt = now;
    this.#sign = sign;
    const limitMs = this.#isAlone ? waitMs : silenceMs || Number.POSITIVE_INFINITY;
    const leftMs = limitMs - (now - this.#signAt);
    if (leftMs > 0) return leftMs;
    if (!this.#isAlone) throw tooLong("ETIMEDOUT", this.#awaited, `it did nothing for ${limitMs} ms`);
    if (lost > 0) throw tooLong("EOWNERDEAD", this.#awaited, "its thread ended without closing it");
    throw tooLong("ENOTCONN", this.#awaited, `nobody opened it within ${limitMs} ms`);
  }
}

function tooLong(code: "ETIMEDOUT" | "EOWNERDEAD" | "ENOTCONN", awaited: Side, why: string): Error {
  return ringError(code, `Cannot wait for the ${awaited} any longer: ${why}`);
}
