import type { Dispatcher } from "undici";
import type { Answer } from "./answer.ts";
import { Gathered } from "./gathered.ts";

/** Why a try gave no answer that could be passed on. */
export interface PostError extends Error {
  /**
   * `ECONNREFUSED` and its like, nobody is there · `ECONNRESET` the connection was lost · `ETIMEDOUT` no answer in time ·
   * `EAGAIN` an answer that says "not now", in `answer` · `ERR_ANSWER` an answer that cannot be used ·
   * `ERR_WRONG_TOKEN` the sink does not let the relay in.
   */
  code: string;
  /** Whether the other side may have done what was asked. */
  isDone: "no" | "unknown";
  answer?: Answer | undefined;
}

/** How it ends. */
export type Outcome = Answer | PostError;

/** One request on its way and what comes back, bounded in time. There are many: hence a class. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (outcome: Outcome) => void;
  readonly #release: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #body = new Gathered();
  #controller: Dispatcher.DispatchController | undefined;
  #isSettled = false;
  #status = 0;
  #headers: Answer["headers"] = {};

  /** @param release undici has let go of the request: it may do so later than the one who waits. */
  constructor(timeoutMs: number, resolve: (outcome: Outcome) => void, release: () => void) {
    this.#resolve = resolve;
    this.#release = release;
    this.#timer = setTimeout(giveUp, timeoutMs, this, timeoutMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It waited for a connection until its time was over: it is not sent. An abort would cost the connection, too.
    if (this.#isSettled) throw new Error("given up");
  }

  onResponseStart(_controller: unknown, status: number, headers: Answer["headers"]): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.#body.push(chunk);
  }

  onResponseEnd(): void {
    this.#release();
    const answer = { status: this.#status, headers: this.#headers, body: this.#body.bytes };
    const isDone = NOT_NOW[answer.status];
    if (isDone) this.fail("EAGAIN", `the answer is ${answer.status}`, { answer, isDone });
    else this.#settle(answer);
  }

  onResponseError(_controller: unknown, error: NodeJS.ErrnoException): void {
    this.#release();
    this.fail(codeOf(error), error.message, { cause: error });
  }

  /** Ends it for the one who waits; what the request is doing is another matter. */
  fail(code: string, message: string, more: Partial<PostError> = {}): void {
    if (this.#isSettled) return;
    const isDone = this.#controller ? "unknown" : "no";
    this.#settle(Object.assign(new Error(message), { code, isDone, ...more } as const));
  }

  abort(): void {
    this.#controller?.abort(new Error("given up"));
  }

  #settle(outcome: Outcome): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#resolve(outcome);
  }
}

function giveUp(exchange: Exchange, timeoutMs: number): void {
  exchange.fail("ETIMEDOUT", `there was no answer within ${Math.round(timeoutMs)} ms`);
  exchange.abort();
}

/** Answers that ask to come again, and whether what was asked may be done all the same. */
const NOT_NOW: Record<number, PostError["isDone"]> = { 429: "no", 502: "unknown", 503: "no", 504: "unknown" };

/** What undici calls it, as the system would. */
function codeOf({ code = "" }: NodeJS.ErrnoException): string {
  if (code === "UND_ERR_CONNECT_TIMEOUT") return "ETIMEDOUT";
  if (LOST.has(code)) return "ECONNRESET";
  return code.startsWith("E") && !code.startsWith("ERR_") ? code : "ERR_ANSWER";
}

const LOST = new Set(["EPIPE", "UND_ERR_SOCKET", "UND_ERR_DESTROYED", "UND_ERR_CLOSED", "UND_ERR_INFO"]);
