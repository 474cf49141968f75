import { Buffer, isAscii } from "node:buffer";
import { lengthFraming } from "@ipc/core/framing";

/** What is passed from peer to peer: one JSON object a frame. */
export interface Message {
  /** The name of the peer that sent it first: whoever has this name delivers it and passes it on no more. */
  origin: string;
  /** Different for every message of an origin; the same when it is sent again. */
  id: string;
  /** How many connections it has come over: 1 at the first peer. */
  hops: number;
  /** Any JSON. */
  body: unknown;
}

/** What a peer answers, by the number that a message has on its connection: the first is 1. */
export type Reply =
  /** Those from the first number to the last one have been delivered, here or further on. */
  | { accepted: readonly [first: number, last: number] }
  /** This one never will be. */
  | { refused: number; reason: string };

/** A message that has come over so many connections is refused: nobody is there to take it. Also the longest ring. */
export const MAX_HOPS = 16;

/** Says "I am here", in both directions, at the start of a connection and then every `heartbeatMs`. */
export const HEARTBEAT = new Uint8Array(0);

/** What names a message among all. */
export function keyOf({ origin, id }: Pick<Message, "origin" | "id">): string {
  return `${id} ${origin}`;
}

/** @throws {RangeError} for what is no name of a peer or id of a message. */
export function checkWord(what: "name" | "id", word: string): void {
  if (isWord(word)) return;
  throw new RangeError(`Cannot use ${what} '${word}': it takes 1 to 64 letters, digits, '.', '_', ':' and '-'`);
}

/**
 * A message as it goes over the wire, without the length in front.
 *
 * @throws {TypeError} for a body that is no JSON.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`.
 */
export function encodeMessage({ origin, id, hops, body }: Message, maxFrameBytes: number): Uint8Array {
  const json = JSON.stringify(body);
  if (json === undefined) throw new TypeError(`Cannot send message: ${typeof body} is no JSON`);
  const frame = Buffer.from(`${start(hops)}"origin":"${origin}","id":"${id}","body":${json}}`);
  lengthFraming.check(frame, maxFrameBytes);
  return frame;
}

/** @throws {SyntaxError | TypeError} for what is no message. */
export function parseMessage(frame: Uint8Array): Message {
  const value = parseObject(frame, "message");
  const { origin, id, hops, body } = value;
  if (!isWord(origin) || !isWord(id)) throw new TypeError("Cannot read message: origin or id is missing or no word");
  if (!isCount(hops) || hops > MAX_HOPS) throw new TypeError(`Cannot read message: hops is not 1 to ${MAX_HOPS}`);
  if (body === undefined) throw new TypeError("Cannot read message: it has no body");
  return { origin, id, hops, body };
}

/**
 * The message as it is passed on. What our peers wrote keeps every byte but the count: to parse and write JSON again
 * would change numbers beyond 2^53.
 *
 * @throws {Error} after `MAX_HOPS`.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`: a tenth hop takes one byte more.
 */
export function encodeNextHop(frame: Uint8Array, message: Message, maxFrameBytes: number): Uint8Array {
  if (message.hops === MAX_HOPS) throw new Error(`it made ${MAX_HOPS} hops, and nobody took it`);
  const hops = message.hops + 1;
  const [before, after] = [start(message.hops), start(hops)];
  if (!startsWith(frame, before)) return encodeMessage({ ...message, hops }, maxFrameBytes);
  const next = Buffer.allocUnsafe(frame.length - before.length + after.length);
  next.write(after, "latin1");
  next.set(frame.subarray(before.length), after.length);
  lengthFraming.check(next, maxFrameBytes);
  return next;
}

/** A reply as it goes over the wire. */
export function encodeReply(reply: Reply): Uint8Array {
  return Buffer.from(JSON.stringify(reply));
}

/** @throws {SyntaxError | TypeError} for what is no reply. */
export function parseReply(frame: Uint8Array): Reply {
  const { accepted, refused, reason } = parseObject(frame, "reply");
  if (isCount(refused) && typeof reason === "string") return { refused, reason: plain(reason) };
  const [first, last] = Array.isArray(accepted) ? accepted : [];
  if (isCount(first) && isCount(last)) return { accepted: [first, last] };
  throw new TypeError("Cannot read reply: it neither accepts nor refuses");
}

/** It goes into error texts and logs, and on to the peer before: short, and nothing that a terminal obeys. */
function plain(reason: string): string {
  return reason.slice(0, 200).replace(/[^\x20-\x7e]/g, "?");
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parseObject(frame: Uint8Array, what: string): Record<string, unknown> {
  const value = parseJson(frame, what);
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new TypeError(`Cannot read ${what}: it is no JSON object`);
}

function parseJson(frame: Uint8Array, what: string): unknown {
  try {
    const { buffer, byteOffset, length } = frame;
    // Most JSON is ASCII, and as such is made a string many times as fast.
    return JSON.parse(
      isAscii(frame) ? Buffer.from(buffer, byteOffset, length).toString("latin1") : strict.decode(frame),
    );
  } catch (cause) {
    // Not the parser's own words: they quote what a stranger sent.
    throw new SyntaxError(`Cannot read ${what} of ${frame.length} bytes: it is no JSON`, { cause });
  }
}

function start(hops: number): string {
  return `{"hops":${hops},`;
}

function startsWith(frame: Uint8Array, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (frame[index] !== text.charCodeAt(index)) return false;
  return true;
}

const WORD = /^[\w.:-]{1,64}$/;

function isWord(value: unknown): value is string {
  return typeof value === "string" && WORD.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}
