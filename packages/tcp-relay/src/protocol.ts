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
  const frame = Buffer.from(`{"hops":${hops},"origin":"${origin}","id":"${id}","body":${json}}`);
  lengthFraming.check(frame, maxFrameBytes);
  return frame;
}

/** A message that has come. Whoever passes it on needs not read its body, which is most of the work. */
export class Envelope {
  readonly frame: Uint8Array;
  /** See {@link keyOf}. */
  readonly key: string;
  readonly origin: string;
  readonly hops: number;
  readonly #bodyAt: number;
  #message: Message | undefined;

  constructor(frame: Uint8Array, key: string, origin: string, hops: number, body: number | Message) {
    this.frame = frame;
    this.key = key;
    this.origin = origin;
    this.hops = hops;
    this.#bodyAt = typeof body === "number" ? body : 0;
    this.#message = typeof body === "number" ? undefined : body;
  }

  /** @throws {SyntaxError} when the body is no JSON. */
  get message(): Message {
    this.#message ??= this.#open();
    return this.#message;
  }

  #open(): Message {
    const { frame, key, origin, hops } = this;
    const end = frame.at(-1) === BRACE ? frame.length - 1 : this.#bodyAt;
    const body = parseJson(frame, "message", this.#bodyAt, end);
    return { origin, id: wordsOf(key)[1], hops, body };
  }
}

/** Names a message among all: its words as they stand in it. */
export function keyOf(origin: string, id: string): string {
  return `${origin}${ID}${id}`;
}

/** What a key was made of. */
export function wordsOf(key: string): [origin: string, id: string] {
  const end = key.indexOf('"');
  return [key.slice(0, end), key.slice(end + ID.length)];
}

/** @throws {SyntaxError | TypeError} for what is no message, as far as can be said without its body. */
export function readEnvelope(frame: Uint8Array): Envelope {
  // As encodeMessage() writes it. Byte by byte: a regular expression and the text for it take twice as long.
  const hops = (frame[HOPS.length] ?? 0) - ZERO;
  const originAt = behindText(frame, behindText(frame, 0, HOPS) + 1, ORIGIN);
  const originEnd = behindWord(frame, originAt);
  const idEnd = behindWord(frame, behindText(frame, originEnd, ID));
  const body = behindText(frame, idEnd, BODY);
  if (body < 0 || hops < 1 || hops > 9) return readOther(frame);
  const key = asText(frame, originAt, idEnd);
  return new Envelope(frame, key, key.slice(0, originEnd - originAt), hops, body);
}

const HOPS = '{"hops":';
const ORIGIN = ',"origin":"';
const ID = '","id":"';
const BODY = '","body":';
const ZERO = 0x30;

/** The place behind `text`; -1 where it does not stand at `start`. */
function behindText(frame: Uint8Array, start: number, text: string): number {
  for (let index = 0; index < text.length; index++) if (frame[start + index] !== text.charCodeAt(index)) return -1;
  return start + text.length;
}

/** The place behind the word at `start`; -1 where none is. */
function behindWord(frame: Uint8Array, start: number): number {
  let end = start;
  while (IS_LETTER[frame[end] ?? 0] === 1) end++;
  return end > start && end - start <= 64 ? end : -1;
}

/** JSON can be written in many ways. */
function readOther(frame: Uint8Array): Envelope {
  const { origin, id, hops, body } = parseObject(frame, "message");
  if (!isWord(origin) || !isWord(id)) throw new TypeError("Cannot read message: origin or id is missing or no word");
  if (!isCount(hops) || hops > MAX_HOPS) throw new TypeError(`Cannot read message: hops is not 1 to ${MAX_HOPS}`);
  if (body === undefined) throw new TypeError("Cannot read message: it has no body");
  return new Envelope(frame, keyOf(origin, id), origin, hops, { origin, id, hops, body });
}

/**
 * The message as it is passed on. What our peers wrote keeps every byte but the count: to parse and write JSON again
 * would change numbers beyond 2^53.
 *
 * @throws {Error} after `MAX_HOPS`.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`: a tenth hop takes one byte more.
 */
export function nextHop(envelope: Envelope, maxFrameBytes: number): Uint8Array {
  const { frame, hops } = envelope;
  if (hops === MAX_HOPS) throw new Error(`it made ${MAX_HOPS} hops, and nobody took it`);
  if (behindText(frame, 0, `${HOPS}${hops},`) < 0) {
    return encodeMessage({ ...envelope.message, hops: hops + 1 }, maxFrameBytes);
  }
  const moreDigits = hops === 9 ? 1 : 0;
  const next = Buffer.allocUnsafe(frame.length + moreDigits);
  next.set(frame, moreDigits);
  next.write(`${HOPS}${hops + 1},`, "latin1");
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

/** Why a message is refused, by whatever was thrown: not always an `Error`, and of any length. */
export function reasonOf(error: unknown): string {
  const { message = error } = Object(error);
  return typeof message === "string" ? plain(message) : "no reason was given";
}

/** It goes into error texts and logs, and on to the peer before: short, and nothing that a terminal obeys. */
function plain(reason: string): string {
  return reason.slice(0, 200).replace(/[^\x20-\x7e]/g, "?");
}

function parseObject(frame: Uint8Array, what: string): Record<string, unknown> {
  const value = parseJson(frame, what, 0, frame.length);
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new TypeError(`Cannot read ${what}: it is no JSON object`);
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parseJson(frame: Uint8Array, what: string, start: number, end: number): unknown {
  try {
    // Most JSON is ASCII, and as such is made a string many times as fast.
    return JSON.parse(isAscii(frame) ? asText(frame, start, end) : strict.decode(frame.subarray(start, end)));
  } catch (cause) {
    // Not the parser's own words: they quote what a stranger sent.
    throw new SyntaxError(`Cannot read ${what} of ${frame.length} bytes: it is no JSON`, { cause });
  }
}

/** A character a byte. */
function asText({ buffer, byteOffset }: Uint8Array, start: number, end: number): string {
  // The frames of a chunk lie in the same memory: one Buffer for all of them.
  if (memory.buffer !== buffer) memory = Buffer.from(buffer);
  return memory.toString("latin1", byteOffset + start, byteOffset + end);
}

let memory: Buffer = Buffer.alloc(0);

const WORD = /^[\w.:-]{1,64}$/;
const IS_LETTER = Uint8Array.from({ length: 256 }, (_, code) => (WORD.test(String.fromCharCode(code)) ? 1 : 0));
const BRACE = 0x7d;

function isWord(value: unknown): value is string {
  return typeof value === "string" && WORD.test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}
