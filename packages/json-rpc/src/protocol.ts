/**
 * JSON-RPC 2.0 as both ends know it: https://www.jsonrpc.org/specification.
 *
 * @module
 */
import { isAscii } from "node:buffer";

/** The codes of section 5.1, and one of those from -32000 to -32099 that it leaves to servers. All others are free. */
export const ERROR_CODES = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  busy: -32000,
} as const;

/**
 * 16: over TCP each so many messages go out at once instead of at the end of the turn; while the other side works on them,
 * the next are made. That takes longer than the system takes to send them.
 */
export const EAGER_MESSAGES = 16;

/** By position or by name (section 4.2). */
export type Params = readonly unknown[] | Readonly<Record<string, unknown>>;

/** What the other side answers a call with that went wrong (section 5.1). A method throws it to say more than -32603. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  /** A whole number. */
  readonly code: number;
  /** More about it; left out where it is undefined. */
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** How a call ended: what it gave, or why it failed. */
export type Outcome = PromiseSettledResult<unknown>;

/**
 * The text of a message. JSON is UTF-8 (RFC 8259 section 8.1).
 *
 * @throws {TypeError} `ERR_ENCODING_INVALID_ENCODED_DATA` for what is none.
 */
export function textOf(bytes: Uint8Array): string {
  // Most JSON is ASCII, and as such is made a string many times as fast.
  if (!isAscii(bytes)) return strict.decode(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a request; without an id it is a notification, which is never answered (section 4.1). */
export function requestText(method: string, params: Params | undefined, id: number | undefined): string {
  if (params !== undefined && (typeof params !== "object" || params === null)) {
    throw new TypeError(`Cannot send params: they must be an array or an object, current value is ${String(params)}`);
  }
  // Glued, which costs half of an object that is made only to be turned into text.
  const end = id === undefined ? "}" : `,"id":${id}}`;
  const start = `{"jsonrpc":"2.0","method":${JSON.stringify(method)}`;
  return params === undefined ? start + end : `${start},"params":${JSON.stringify(params)}${end}`;
}

/** What a reply says (section 5); one that breaks the rules is an `ERR_INVALID_RESPONSE`. */
export function outcomeOf(reply: unknown): Outcome {
  if (!isObject(reply)) return broken("it is no object");
  const { jsonrpc, result, error } = reply;
  if (jsonrpc !== "2.0") return broken("it is not of JSON-RPC 2.0");
  if ((result !== undefined) === (error !== undefined)) return broken("it needs a result or an error");
  if (result !== undefined) return { status: "fulfilled", value: result };
  if (!isObject(error) || !Number.isInteger(error["code"]) || typeof error["message"] !== "string") {
    return broken("its error has no code or no message");
  }
  return { status: "rejected", reason: new RpcError(Number(error["code"]), error["message"], error["data"]) };
}

function broken(why: string): Outcome {
  return { status: "rejected", reason: invalidResponse(why) };
}

/** The id that a reply names; null where it could not tell what it replies to. */
export function idOf(reply: unknown): unknown {
  return isObject(reply) ? (reply["id"] ?? null) : null;
}

/** A reply that breaks the rules. */
export function invalidResponse(why: string, cause?: unknown): Error {
  return Object.assign(new TypeError(`Cannot use reply: ${why}`, { cause }), { code: "ERR_INVALID_RESPONSE" });
}

/** A message above the limit. */
export function tooLarge(verb: "read" | "send", frameBytes: number, maxFrameBytes: number): Error {
  const text = `Cannot ${verb} message of ${frameBytes} bytes: limit is ${maxFrameBytes}`;
  return Object.assign(new RangeError(text), { code: "ERR_FRAME_TOO_LARGE", frameBytes, maxFrameBytes });
}

/** An object with names, as JSON has them: no array, not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
