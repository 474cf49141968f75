/**
 * Asking a server over kept connections: each question within its time, and again after a cut where nothing can come of
 * it twice. An answer is small, and whole: there is no stream in between.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, Pool } from "undici";
import { connectionError } from "./client-errors.ts";

/** Limits of a connection. */
export interface ConnectionSettings {
  token?: string | undefined;
  timeoutMs: number;
  maxConnections: number;
  maxInFlight: number;
  maxResponseBytes: number;
  silenceMs: number;
}

/** What is asked. */
export interface Question {
  /** What is being done, in errors: `get book 'emma'`. */
  action: string;
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** What came back, whatever its status. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Where questions are asked. */
export interface Connection {
  /** What every question shows: the token, where there is one. */
  readonly credentials: Readonly<Record<string, string>>;
  /** For answers that do not end: changes. */
  readonly streams: Pool;
  /** Aborts when it is closed. */
  readonly closing: AbortSignal;
  /** @throws {Error} `ECONNREFUSED`, `ECONNRESET`, `ETIMEDOUT` and their like; `ENOBUFS`, `EPIPE`. */
  ask(question: Question): Promise<Answer>;
  /** The same without a second try: a look whether somebody is there. */
  askOnce(question: Question): Promise<Answer>;
  close(graceMs: number): Promise<void>;
}

/** Opens no connection yet. */
export function createConnection(url: string, settings: ConnectionSettings): Connection {
  const { timeoutMs, maxInFlight, token } = settings;
  const credentials = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const pool = new Pool(url, {
    connections: settings.maxConnections,
    maxResponseSize: settings.maxResponseBytes,
    connectTimeout: timeoutMs,
    // Each question has its own clock, for all of it.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const streams = new Pool(url, { headersTimeout: timeoutMs, bodyTimeout: settings.silenceMs });
  const closing = new AbortController();
  let inFlight = 0;

  const signed = (question: Question) =>
    token === undefined ? question : { ...question, headers: { ...question.headers, ...credentials } };

  async function ask(asked: Question): Promise<Answer> {
    const question = signed(asked);
    if (closing.signal.aborted) throw closing.signal.reason;
    if (inFlight >= maxInFlight) throw tooMany(question.action, inFlight, maxInFlight);
    inFlight++;
    const deadline = performance.now() + timeoutMs;
    try {
      return await exchange(pool, question, timeoutMs);
    } catch (cause) {
      return await askAgain(question, cause, deadline);
    } finally {
      inFlight--;
    }
  }

  async function askAgain(question: Question, failure: unknown, deadline: number): Promise<Answer> {
    let cause = failure;
    let cuts = 0;
    for (let longestMs = 50; ; longestMs = Math.min(longestMs * 2, 1_000)) {
      const error = connectionError(question.action, url, cause);
      const leftMs = deadline - performance.now();
      if (error.code === "ECONNRESET") cuts++;
      if (!mayRepeat(question, error) || cuts > MAX_CUTS || leftMs < 1) throw error;
      await sleep(Math.min(Math.random() * longestMs, leftMs));
      try {
        return await exchange(pool, question, Math.max(1, deadline - performance.now()));
      } catch (next) {
        cause = next;
      }
    }
  }

  async function closeAll(graceMs: number): Promise<void> {
    const text = `Cannot ask ${url}: the client is closed`;
    closing.abort(Object.assign(new Error(text), { code: "EPIPE" }));
    const cutOff = setTimeout(() => void pool.destroy(), graceMs);
    await Promise.all([streams.destroy(), pool.close()]);
    clearTimeout(cutOff);
  }
  let closed: Promise<void> | undefined;

  return {
    credentials,
    streams,
    closing: closing.signal,
    ask,
    async askOnce(question) {
      try {
        return await exchange(pool, signed(question), timeoutMs);
      } catch (cause) {
        throw connectionError(question.action, url, cause);
      }
    },
    close: (graceMs) => (closed ??= closeAll(graceMs)),
  };
}

/** One for the connection that was kept too long, one for the server that goes down just now, one to spare. */
const MAX_CUTS = 3;

/** What was not sent may be sent again; what only reads may be asked again (RFC 9110 section 9.2.2). */
function mayRepeat({ method }: Question, { code }: NodeJS.ErrnoException): boolean {
  return code === "ECONNREFUSED" || (code === "ECONNRESET" && method === "GET");
}

function tooMany(action: string, inFlight: number, maxInFlight: number): Error {
  const text = `Cannot ${action}: ${inFlight} requests wait for answers, limit is ${maxInFlight}`;
  return Object.assign(new RangeError(text), { code: "ENOBUFS", inFlight, maxInFlight });
}

function exchange(pool: Pool, { method, path, headers, body }: Question, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const handler = new Exchange(resolve, reject, timeoutMs);
    pool.dispatch({ method, path, headers: headers ?? null, body: body ?? null }, handler);
  });
}

/** A class: there may be tens of thousands a second, and each is one object with its methods on the prototype. */
class Exchange implements Dispatcher.DispatchHandler {
  #resolve: (answer: Answer) => void;
  #reject: (error: unknown) => void;
  #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #failure: Error | undefined;
  #status = 0;
  #headers: Answer["headers"] = {};
  #chunks: Buffer[] = [];

  constructor(resolve: (answer: Answer) => void, reject: (error: unknown) => void, timeoutMs: number) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(onTimeout, timeoutMs, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for a connection.
    if (this.#failure) controller.abort(this.#failure);
    this.#controller = controller;
    // undici itself may begin anew.
    this.#chunks = [];
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Answer["headers"]): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer);
    const chunks = this.#chunks;
    const body = (chunks.length === 1 ? chunks[0] : undefined) ?? Buffer.concat(chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body: body.toString() });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    clearTimeout(this.#timer);
    this.#reject(error);
    this.#controller?.abort(error);
  }
}

function onTimeout(exchange: Exchange): void {
  exchange.fail(Object.assign(new Error("no answer came in time"), { code: "ETIMEDOUT" }));
}
