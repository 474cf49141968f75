import { PROBLEM_JSON } from "@ipc/core/http-guard";
import { Compile } from "typebox/compile";
import { BookProblem } from "./books.ts";
import type { Answer } from "./connection.ts";

/** What a server answered instead of doing it. */
export interface AnswerError extends Error {
  /**
   * `ERR_WRONG_TOKEN` 401, `ERR_NOT_FOUND` 404, `ERR_CONFLICT` 412, `ERR_RATE_LIMIT` 429, `ERR_UNAVAILABLE` 503,
   * `ERR_REFUSED` other 4xx, `ERR_SERVER` other 5xx.
   */
  code: string;
  status: number;
  /** What the server says about it, where it says it by RFC 9457. */
  problem?: BookProblem;
  /** How long to wait before asking again, in ms, where the server says so. */
  retryAfterMs?: number;
}

/** The error for an answer that is not the one that was asked for. */
export function answerError(action: string, { status, headers, body }: Answer): AnswerError {
  const problem = parseProblem(headers["content-type"], body);
  const seconds = Number(headers["retry-after"]);
  const why = status === 401 ? "it wants a token" : (problem?.detail ?? `the server answered with ${status}`);
  return Object.assign(new Error(`Cannot ${action}: ${why}`), {
    code: CODES[status] ?? (status >= 500 ? "ERR_SERVER" : "ERR_REFUSED"),
    status,
    ...(problem && { problem }),
    ...(seconds >= 0 && { retryAfterMs: seconds * 1_000 }),
  });
}

const CODES: Record<number, string> = {
  401: "ERR_WRONG_TOKEN",
  404: "ERR_NOT_FOUND",
  412: "ERR_CONFLICT",
  429: "ERR_RATE_LIMIT",
  503: "ERR_UNAVAILABLE",
};

/** The error for an answer that no server of this kind gives. */
export function protocolError(action: string, reason: string, cause?: unknown): Error {
  return Object.assign(new Error(`Cannot ${action}: ${reason}`, { cause }), { code: "ERR_PROTOCOL" });
}

/**
 * Reads what a server sent.
 *
 * @throws {Error} `ERR_PROTOCOL` when it is no JSON.
 */
export function parseJson(action: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw protocolError(action, "what came is no JSON", cause);
  }
}

/**
 * What undici says, in the system's codes: `ECONNREFUSED` and its like, nothing was sent; `ECONNRESET`, the connection
 * was lost on the way; `ETIMEDOUT`.
 */
export function connectionError(action: string, url: string, cause: unknown): NodeJS.ErrnoException {
  const { code: given, name, message } = cause as NodeJS.ErrnoException;
  // An AbortError's is a number.
  const code = typeof given === "string" ? given : "";
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") return protocolError(action, "the answer is too large", cause);
  if (name === "HTTPParserError" || code.startsWith("UND_ERR_RES"))
    return protocolError(action, "it is no HTTP", cause);
  if (code === "" || code === "ABORT_ERR" || code.startsWith("ERR_")) return cause as Error;
  const known = UNDICI[code] ?? code;
  const text = `Cannot ${action} at ${url}: ${REASONS[known] ?? message}`;
  return Object.assign(new Error(text, { cause }), { code: known });
}

const UNDICI: Record<string, string> = {
  UND_ERR_SOCKET: "ECONNRESET",
  EPIPE: "ECONNRESET",
  UND_ERR_CONNECT_TIMEOUT: "ETIMEDOUT",
  UND_ERR_HEADERS_TIMEOUT: "ETIMEDOUT",
  UND_ERR_BODY_TIMEOUT: "ETIMEDOUT",
  UND_ERR_CLOSED: "EPIPE",
  UND_ERR_DESTROYED: "EPIPE",
};

const REASONS: Record<string, string> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection was lost on the way",
  ETIMEDOUT: "no answer came in time",
  EPIPE: "the client is closed",
};

const PROBLEM = Compile(BookProblem);

function parseProblem(type: string | string[] | undefined, body: string): BookProblem | undefined {
  if (!String(type).startsWith(PROBLEM_JSON)) return undefined;
  try {
    const found: unknown = JSON.parse(body);
    return PROBLEM.Check(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
