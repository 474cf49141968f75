import { CLOSE, type Ending } from "./protocol.ts";

/** What a client makes of the end of its connection: whether it may come back, and the error for it. */
export function readEnding(url: string, { code, reason, error: cause }: Ending) {
  const [name = "ECONNRESET", text] = FINAL[code] ?? [];
  const why = text ?? (code === CLOSE.cut ? "it was cut" : `the other side closed it (${code})`);
  const error = new Error(cause?.message ?? `Cannot keep connection to ${url}: ${why}${reason && `: ${reason}`}`, {
    cause,
  });
  return { isFinal: text !== undefined, error: Object.assign(error, { code: name }) };
}

/** After these the same would happen again on a new connection. */
const FINAL: Record<number, readonly [code: string, why: string]> = {
  [CLOSE.protocol]: ["ERR_PROTOCOL", "the other side could not read a frame"],
  [CLOSE.binary]: ["ERR_MALFORMED", "the other side takes no binary"],
  [CLOSE.notJson]: ["ERR_MALFORMED", "a message was no JSON"],
  [CLOSE.tooManyFragments]: ["ERR_PROTOCOL", "a message came in too many pieces"],
  [CLOSE.tooLarge]: ["ERR_MESSAGE_TOO_LARGE", "a message was too large"],
  [CLOSE.handlerFailed]: ["ERR_HANDLER", "the other side failed at a message"],
  [CLOSE.notSession]: ["ERR_PROTOCOL", "a frame was none of the session's"],
  [CLOSE.takenOver]: ["ERR_TAKEN_OVER", "the session goes on elsewhere"],
};

/** What a connection could not be opened for, in words. */
export function connectError(url: string, cause: NodeJS.ErrnoException): Error {
  const code = cause.code ?? (cause.message.includes("timed out") ? "ETIMEDOUT" : "ERR_REFUSED");
  // Several addresses behind one name: Node's error for all of them has no text.
  const why = REASONS[code] ?? (cause.message || code);
  return Object.assign(new Error(`Cannot connect to ${url}: ${why}`, { cause }), { code });
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: "nobody listens there",
  ENOTFOUND: "there is no such host",
  ETIMEDOUT: "it does not answer",
  ECONNRESET: "it closed the connection",
};

/** `EBUSY` when the server has no room, else `ERR_REFUSED`: it answered with a status. */
export function refusedError(url: string, status = 0, text = ""): Error {
  const error = new Error(`Cannot connect to ${url}: the server said ${status} ${text}`);
  return Object.assign(error, { code: status === 503 ? "EBUSY" : "ERR_REFUSED", status });
}

/** `ENOBUFS`: more waits than may. */
export function tooMuch(url: string, waiting: number, limit: number): Error {
  const text = `Cannot send message to ${url}: ${waiting} bytes wait already, limit is ${limit}`;
  return Object.assign(new RangeError(text), { code: "ENOBUFS", waiting, limit });
}

/** `ENOTCONN` while there is no connection; `EPIPE` when there will be none. */
export function cannotSend(url: string, code: "ENOTCONN" | "EPIPE", why: string): Error {
  return Object.assign(new Error(`Cannot send message to ${url}: ${why}`), { code });
}
