import type { Socket } from "node:dgram";
import { DEFAULT_WAIT_MS, retry, type WaitOptions } from "@ipc/core/retry";
import { whenAborted } from "@ipc/core/when-aborted";
import { sendError } from "./socket.ts";

/** Questions on their way to the other end of a connected socket, by number. */
export class Questions<Answer> {
  readonly #url: string;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Question<Answer>>();

  constructor(url: string, socket: Socket) {
    this.#url = url;
    this.#socket = socket;
  }

  /** Asks once. @throws {Error} `ETIMEDOUT`, or what the system says. */
  ask(number: number, datagram: Uint8Array, limitMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(this.#expire, limitMs, number);
      this.#waiting.set(number, { timer, resolve, reject });
      this.#socket.send(datagram, this.#onSent);
    });
  }

  /** What came for a question, if anybody waits for it. */
  answer(number: number, answer: Answer): void {
    this.#take(number)?.resolve(answer);
  }

  /** An error of the socket is the answer to all that wait. @returns Whether any did. */
  fail(cause: NodeJS.ErrnoException): boolean {
    const why = cause.code === "ECONNREFUSED" ? "nobody listens there" : cause.message;
    return this.end(sendError(this.#url, cause.code ?? "", why, cause));
  }

  /** Gives up all that wait. @returns Whether any did. */
  end(error: Error): boolean {
    const numbers = [...this.#waiting.keys()];
    for (const number of numbers) this.#take(number)?.reject(error);
    return numbers.length > 0;
  }

  // Timers run before what has come meanwhile is read: judged is after that.
  readonly #expire = (number: number) => setImmediate(this.#giveUp, number);

  readonly #giveUp = (number: number) => {
    this.#take(number)?.reject(sendError(this.#url, "ETIMEDOUT", "no answer came in time"));
  };

  readonly #onSent = (error: Error | null) => {
    if (error) this.fail(error);
  };

  #take(number: number): Question<Answer> | undefined {
    const question = this.#waiting.get(number);
    this.#waiting.delete(number);
    clearTimeout(question?.timer);
    return question;
  }
}

/**
 * Asks until somebody answers. Networks that say nothing of a missing one are the rule: each try waits longer, and none
 * beyond `waitMs`.
 */
export async function askUntilAnswered<T>(ask: (limitMs: number) => Promise<T>, options: WaitOptions): Promise<T> {
  const { waitMs = DEFAULT_WAIT_MS, signal } = options;
  const deadline = performance.now() + (waitMs || FIRST_TRY_MS);
  let limitMs = FIRST_TRY_MS;
  let forget = () => {};
  // In the middle of a try as well: whoever gives up does not wait for an answer that may take two seconds.
  const givenUp = new Promise<never>((_, reject) => {
    if (signal) forget = whenAborted(signal, () => reject(signal.reason));
  });
  givenUp.catch(() => {});
  try {
    return await retry(() => {
      const asked = ask(Math.min(limitMs, Math.max(deadline - performance.now(), 1)));
      limitMs = Math.min(limitMs * 1.5, LONGEST_TRY_MS);
      return Promise.race([asked, givenUp]);
    }, options);
  } finally {
    forget();
  }
}

interface Question<Answer> {
  timer: NodeJS.Timeout;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

const FIRST_TRY_MS = 100;
const LONGEST_TRY_MS = 2_000;
