import type { CallContext, Method } from "./method.ts";
import { ERROR_CODES, isObject, type Params, RpcError, textOf } from "./protocol.ts";

/** What bounds messages and calls, and who is told. */
export interface DispatcherOptions {
  /** Requests in a batch. */
  maxBatch: number;
  /** The longest answer, in bytes. */
  maxFrameBytes: number;
  /** Calls that run at once; more are answered with -32000. */
  maxCalls: number;
  /** A method threw what is no {@link RpcError}, or its result cannot be sent: its caller gets -32603. */
  onThrown(error: Error, method: string, peer: string): void;
  /** So many calls run that more are refused; told once each time it comes to that. */
  onBusy(): void;
}

/** The text of an answer; none to notifications. */
export type Answer = string | undefined;

/** JSON-RPC without the sending: bytes in, text out (https://www.jsonrpc.org/specification, sections 4 to 6). */
export class Dispatcher {
  /** A Map: no name finds anything but what was put there, be it `__proto__`. */
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #options: DispatcherOptions;
  #running = 0;
  #isBusy = false;

  constructor(methods: Readonly<Record<string, Method>>, options: DispatcherOptions) {
    this.#methods = new Map(Object.entries(methods));
    this.#options = options;
  }

  /**
   * Runs what a message asks for.
   *
   * @returns Its answer, at once where that is there at once. The promise does not reject.
   * @throws {SyntaxError} for what is no JSON: the answer to that is {@link PARSE_ERROR}.
   */
  dispatch(bytes: Uint8Array, context: CallContext): Answer | Promise<Answer> {
    const { maxBatch, maxFrameBytes } = this.#options;
    const message = parse(bytes);
    // Each level takes two bytes.
    if (bytes.length > 2 * MAX_DEPTH && isDeeper(message, MAX_DEPTH)) {
      return invalidRequest(`it is nested deeper than ${MAX_DEPTH} levels`);
    }
    const room = { limit: maxFrameBytes, bytes: maxFrameBytes };
    if (!Array.isArray(message)) return this.#answer(message, context, room);
    if (message.length === 0) return invalidRequest();
    if (message.length > maxBatch) return invalidRequest(`it has ${message.length} requests, limit is ${maxBatch}`);
    return this.#answerAll(message, context, room);
  }

  #answerAll(requests: readonly unknown[], context: CallContext, room: Room): Answer | Promise<Answer> {
    const answers: (Answer | Promise<Answer>)[] = [];
    let isLater = false;
    for (const request of requests) {
      const answer = this.#answer(request, context, room);
      isLater ||= answer instanceof Promise;
      answers.push(answer);
    }
    return isLater ? Promise.all(answers).then(join) : join(answers as Answer[]);
  }

  #answer(request: unknown, context: CallContext, room: Room): Answer | Promise<Answer> {
    if (!isRequest(request)) return invalidRequest();
    const { id, method: name, params } = request;
    // It would come back as another number, and nobody would wait for that.
    if (typeof id === "number" && Math.abs(id) > Number.MAX_SAFE_INTEGER) return invalidRequest("id is above 2^53 - 1");
    const method = this.#methods.get(name);
    if (!method) return errorTo(request, ERROR_CODES.methodNotFound, "Method not found");
    if (this.#running >= this.#options.maxCalls) return this.#refuse(request);
    try {
      const result = method(params, context);
      // What is there already is answered at once, together with the rest of this turn.
      return isThenable(result) ? this.#answerLater(result, request, context, room) : resultTo(request, result, room);
    } catch (error) {
      return this.#failureOf(request, error, context, room);
    }
  }

  async #answerLater(result: PromiseLike<unknown>, request: Request, context: CallContext, room: Room) {
    this.#running++;
    try {
      return resultTo(request, await result, room);
    } catch (error) {
      return this.#failureOf(request, error, context, room);
    } finally {
      this.#running--;
      this.#isBusy = false;
    }
  }

  #refuse(request: Request): Answer {
    if (!this.#isBusy) this.#options.onBusy();
    this.#isBusy = true;
    return errorTo(request, ERROR_CODES.busy, "Server is busy");
  }

  /** What the caller gets: of an error of ours neither text nor stack. */
  #failureOf(request: Request, error: unknown, context: CallContext, room: Room): Answer {
    let thrown = error;
    if (error instanceof RpcError && Number.isInteger(error.code)) {
      try {
        const text = errorTo(request, error.code, error.message, error.data);
        return text && fit(text, room);
      } catch (unsendable) {
        thrown = unsendable;
      }
    }
    // A method that stops because its caller is gone is no news.
    if (!context.signal.aborted) {
      const told = thrown instanceof Error ? thrown : new Error("it threw what is no Error", { cause: thrown });
      this.#options.onThrown(told, request.method, context.peer);
    }
    return errorTo(request, ERROR_CODES.internalError, "Internal error");
  }
}

/** Levels; `JSON.stringify` runs out of stack at about 4,500. */
const MAX_DEPTH = 1_000;

/** Section 4. Without an id it is a notification. */
interface Request {
  readonly method: string;
  readonly params?: Params;
  readonly id?: string | number | null;
}

/** How much more may be answered to a message. */
interface Room {
  readonly limit: number;
  bytes: number;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch (cause) {
    throw new SyntaxError("Cannot read message: it is no JSON", { cause });
  }
}

/** Plain loops: every value of a large message passes here. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const each of value) if (isDeeper(each, levels - 1)) return true;
  } else {
    for (const name in value) if (isDeeper((value as Record<string, unknown>)[name], levels - 1)) return true;
  }
  return false;
}

function isRequest(message: unknown): message is Request {
  if (!isObject(message)) return false;
  const { jsonrpc, method, params, id } = message;
  if (jsonrpc !== "2.0" || typeof method !== "string") return false;
  if (params !== undefined && (typeof params !== "object" || params === null)) return false;
  return id === undefined || id === null || typeof id === "number" || typeof id === "string";
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Glued: half of what making an object and turning that into text costs. */
function resultTo({ id }: Request, result: unknown, room: Room): Answer {
  if (id === undefined) return undefined;
  // JSON has no undefined, and nothing for a function.
  return fit(`{"jsonrpc":"2.0","id":${textOfId(id)},"result":${JSON.stringify(result) ?? "null"}}`, room);
}

function fit(text: string, room: Room): string {
  const bytes = Buffer.byteLength(text);
  if (bytes > room.bytes) throw new RangeError(`Cannot send answer: it is above the limit of ${room.limit} bytes`);
  // A comma or a bracket goes with it.
  room.bytes -= bytes + 1;
  return text;
}

/** In the order of the requests; notifications have none. */
function join(answers: readonly Answer[]): Answer {
  const texts = answers.filter((text) => text !== undefined);
  return texts.length === 0 ? undefined : `[${texts.join(",")}]`;
}

function errorTo({ id }: Request, code: number, message: string, data?: unknown): Answer {
  return id === undefined ? undefined : errorText(code, message, data, id);
}

function invalidRequest(data?: string): string {
  return errorText(ERROR_CODES.invalidRequest, "Invalid Request", data);
}

/** The text of an error reply (section 5.1). */
export function errorText(code: number, message: string, data?: unknown, id: Request["id"] = null): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, data } });
}

/** The answer to what is no JSON. */
export const PARSE_ERROR = errorText(ERROR_CODES.parseError, "Parse error");

function textOfId(id: string | number | null): string {
  return typeof id === "number" ? String(id) : JSON.stringify(id);
}
