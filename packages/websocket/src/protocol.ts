/**
 * What both ends have to know: the names of what is spoken, and why a connection ends.
 *
 * @module
 */

/** JSON, one value a text frame; nothing around it, nothing besides. */
export const ECHO = "ipc.echo.v1";

/** The same in numbered envelopes, so that a cut loses and doubles nothing: see `session.ts`. */
export const SESSION = "ipc.session.v1";

/** A subprotocol (RFC 6455 section 1.9). */
export type Protocol = typeof ECHO | typeof SESSION;

/** Close codes: below 3000 those of RFC 6455 section 7.4.1, from 4000 our own. */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  protocol: 1002,
  binary: 1003,
  /** Never sent: what a side sees that was told nothing. */
  cut: 1006,
  notJson: 1007,
  tooManyFragments: 1008,
  tooLarge: 1009,
  handlerFailed: 1011,
  /** A frame that is none of `ipc.session.v1`, or out of order. */
  notSession: 4000,
  /** The same session was resumed on another connection. */
  takenOver: 4001,
} as const;

/** How a connection ended. */
export interface Ending {
  code: number;
  /** What the side that closed said about it. */
  reason: string;
  /** What this side found wrong; nothing where the other side closed. */
  error: Error | undefined;
}

/** What the other side must not send. It is told: by this close code, with the text as the reason. */
export class MalformedError extends SyntaxError {
  readonly code = "ERR_MALFORMED";
  readonly closeCode: number;

  constructor(closeCode: number, text: string, options?: ErrorOptions) {
    super(text, options);
    this.closeCode = closeCode;
  }
}

/**
 * Reads the text of a message.
 *
 * @throws {MalformedError}
 */
export function parseMessage(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MalformedError(CLOSE.notJson, "Cannot read message: it is no JSON", { cause });
  }
}

/**
 * Writes a message.
 *
 * @throws {TypeError} `ERR_MALFORMED` for what JSON cannot say: `undefined`, a function, a loop.
 * @throws {RangeError} `ERR_MESSAGE_TOO_LARGE`.
 */
export function formatMessage(message: unknown, maxPayload: number): string {
  const text = stringify(message);
  // Three bytes a character at most: most messages need not be measured.
  const bytes = text.length * 3 <= maxPayload ? 0 : Buffer.byteLength(text);
  if (bytes <= maxPayload) return text;
  const error = new RangeError(`Cannot send message of ${bytes} bytes: limit is ${maxPayload}`);
  throw Object.assign(error, { code: "ERR_MESSAGE_TOO_LARGE", bytes, maxPayload });
}

function stringify(message: unknown): string {
  let cause: unknown;
  try {
    const text: string | undefined = JSON.stringify(message);
    if (text !== undefined) return text;
  } catch (error) {
    cause = error;
  }
  const error = new TypeError(`Cannot send message: JSON has no word for ${typeof message}`, { cause });
  throw Object.assign(error, { code: "ERR_MALFORMED" });
}
