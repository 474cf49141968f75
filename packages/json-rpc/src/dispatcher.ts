import type jayson from "jayson";
import type { CallContext } from "./method.ts";
import { ERROR_CODES, isObject, textOf } from "./protocol.ts";

/**
 * Takes one message and gives the text of its answer, at once where it can: `undefined` where there is none, as for
 * notifications.
 *
 * @returns Whether it was JSON. If not, the answer says so: whoever sent it speaks something else.
 */
export type Dispatch = (message: Uint8Array, context: CallContext, answer: Answer) => boolean;

/** Is called once. */
type Answer = (text: string | undefined) => void;

/** What bounds messages, and who is told. */
export interface DispatcherOptions {
  /** Requests in a batch. */
  maxBatch: number;
  /** The longest answer, in bytes. */
  maxFrameBytes: number;
  /** A result cannot be sent: its caller gets -32603. */
  onUnsendable(error: Error, method: string, peer: string): void;
}

/** Levels; `JSON.stringify` runs out of stack at about 4,500. */
const MAX_DEPTH = 1_000;

/**
 * JSON-RPC without the sending: bytes in, text out. What a request is, its method, its errors and its reply are jayson's
 * business; here is what it leaves open.
 *
 * @param server Its methods take a {@link CallContext}.
 */
export function createDispatcher(server: jayson.Server, options: DispatcherOptions): Dispatch {
  const { maxBatch, maxFrameBytes, onUnsendable } = options;

  function dispatchOne(message: unknown, context: CallContext, room: Room, answer: Answer) {
    server.call(toRequest(message), context, (error, response) => {
      const reply = error ?? response;
      answer(reply && stringify(reply, message, context, room));
    });
  }

  function stringify(reply: { id?: unknown }, message: unknown, context: CallContext, room: Room): string {
    try {
      const text = JSON.stringify(reply);
      const left = room.bytes - Buffer.byteLength(text);
      if (left < 0) throw new RangeError(`Cannot send answer: it is above the limit of ${maxFrameBytes} bytes`);
      room.bytes = left;
      return text;
    } catch (error) {
      // Too much of it, a BigInt, a value that contains itself.
      onUnsendable(error as Error, isObject(message) ? String(message["method"]) : "", context.peer);
      return errorText(ERROR_CODES.internalError, "Internal error", undefined, reply.id);
    }
  }

  /** Not jayson's batches: one with an array in it would never be answered, and one bad result would take all others. */
  function dispatchAll(messages: readonly unknown[], context: CallContext, answer: Answer) {
    const room = { bytes: maxFrameBytes };
    const texts: (string | undefined)[] = new Array(messages.length);
    let left = messages.length;
    for (let index = 0; index < messages.length; index++) {
      dispatchOne(messages[index], context, room, (text) => {
        texts[index] = text;
        if (--left === 0) answer(joinAnswers(texts));
      });
    }
  }

  return (bytes, context, answer) => {
    let message: unknown;
    try {
      message = JSON.parse(textOf(bytes));
    } catch {
      answer(errorText(ERROR_CODES.parseError, "Parse error"));
      return false;
    }
    // Each level takes two bytes.
    if (bytes.length > 2 * MAX_DEPTH && isDeeper(message, MAX_DEPTH))
      answer(invalidRequest(`it is nested deeper than ${MAX_DEPTH} levels`));
    else if (!Array.isArray(message)) dispatchOne(message, context, { bytes: maxFrameBytes }, answer);
    else if (message.length === 0) answer(invalidRequest());
    else if (message.length > maxBatch)
      answer(invalidRequest(`it has ${message.length} requests, limit is ${maxBatch}`));
    else dispatchAll(message, context, answer);
    return true;
  };
}

/** In the order of the requests; notifications have none. */
function joinAnswers(texts: readonly (string | undefined)[]): string | undefined {
  const answers = texts.filter((text) => text !== undefined);
  return answers.length === 0 ? undefined : `[${answers.join(",")}]`;
}

/** How much more may be answered to a message. */
interface Room {
  bytes: number;
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

/**
 * What jayson is to see: a string it would parse once more, an array is no request, and a null id it takes for none,
 * though section 4 of the specification has it answered. NaN is a number to jayson, and null again in JSON.
 */
function toRequest(message: unknown): jayson.JSONRPCRequest {
  if (!isObject(message)) return NO_REQUEST;
  if (message["id"] === null) message["id"] = Number.NaN;
  // jayson looks at every member itself.
  return message as unknown as jayson.JSONRPCRequest;
}

const NO_REQUEST = {} as jayson.JSONRPCRequest;

function invalidRequest(data?: string): string {
  return errorText(ERROR_CODES.invalidRequest, "Invalid Request", data);
}

/** The text of an error reply. */
export function errorText(code: number, message: string, data?: string, id: unknown = null): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, data } });
}
