/**
 * What goes between a client and whoever answers it, a server or a broker: one frame each way, and a reply of two frames
 * for an error.
 *
 * @module
 */
import { checkBytes } from "@ipc/core/framing";

/** Frames of a message as zeromq gives them. */
export type Frames = readonly Uint8Array[];

/** An error that came as a reply. */
export interface ReplyError extends Error {
  /** The one that answered says what went wrong: `ERR_REQUEST`, `ERR_HANDLER`, `ENOBUFS`, …. */
  code: string;
}

/** A request as it comes to a ROUTER: who sent it, and what. */
export interface Request {
  /** What the reply begins with: the peer's identity, ids that it put in front, the empty frame. */
  envelope: Uint8Array[];
  /** Nothing when it is malformed. */
  body: Uint8Array | undefined;
}

const EMPTY = new Uint8Array(0);

/**
 * Takes a request apart (RFC 28: identities, an empty frame, the body). What is no request has no body: also a port
 * scanner's bytes arrive as messages, since libzmq takes them for ZMTP 1.0.
 */
export function parseRequest(frames: Uint8Array[]): Request {
  // The usual case first: what a REQ socket sends.
  const delimiter = frames[1]?.length === 0 ? 1 : frames.findIndex(isDelimiter);
  if (delimiter === -1) return { envelope: [...frames.slice(0, 1), EMPTY], body: undefined };
  const isWhole = delimiter === frames.length - 2;
  return { envelope: frames.slice(0, delimiter + 1), body: isWhole ? frames[delimiter + 1] : undefined };
}

function isDelimiter(frame: Uint8Array, index: number): boolean {
  // The first is the identity that the ROUTER puts in front.
  return index > 0 && frame.length === 0;
}

/** Errors of ours, which the client may read; those of a handler are for the log of the one that ran it. */
const TOLD = new Set(["ERR_REQUEST", "ERR_FRAME_TOO_LARGE", "ENOBUFS", "ERR_WORKERS_LOST"]);

/** An error as the frames of a reply: its code and its text. */
export function toErrorFrames(error: unknown): [code: string, text: string] {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return TOLD.has(code) ? [code, message] : ["ERR_HANDLER", "Cannot answer request: the handler failed"];
}

/** What malformed requests are answered with. */
export function requestError(): Error {
  const text = "Cannot read request: it must be one frame behind an empty one, as a REQ socket sends it";
  return Object.assign(new TypeError(text), { code: "ERR_REQUEST" });
}

/**
 * Checks what is to be sent.
 *
 * @throws {TypeError} when it is no Uint8Array.
 * @throws {RangeError} `ERR_FRAME_TOO_LARGE`.
 */
export function checkFrame(message: Uint8Array, maxFrameBytes: number): void {
  checkBytes(message);
  const frameBytes = message.length;
  if (frameBytes <= maxFrameBytes) return;
  const text = `Cannot send frame of ${frameBytes} bytes: limit is ${maxFrameBytes}`;
  throw Object.assign(new RangeError(text), { code: "ERR_FRAME_TOO_LARGE", frameBytes, maxFrameBytes });
}

/**
 * Reads a reply.
 *
 * @throws {ReplyError} when it is an error.
 */
export function parseReply(frames: Frames): Uint8Array {
  const [first = EMPTY, second] = frames;
  if (!second) return first;
  const decoder = new TextDecoder();
  throw Object.assign(new Error(decoder.decode(second)), { code: decoder.decode(first) });
}
