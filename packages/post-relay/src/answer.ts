import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { PROBLEM_JSON, type Problem, problem } from "@ipc/core/http-guard";

/** What a post is answered with. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[]>;
  body: string | Buffer;
}

/** A problem as an answer. `done`, an extension as RFC 9457 section 3.2 has them: whether the sink may have the post. */
export function answerProblem(wrong: Problem & { done?: "no" | "unknown" }): Answer {
  const { status } = wrong;
  return { status, headers: { "content-type": PROBLEM_JSON, ...ALWAYS[status] }, body: JSON.stringify(wrong) };
}

/** What a status promises: RFC 9110 sections 15.5.6 and 10.2.3. */
const ALWAYS: Record<number, Record<string, string>> = { 405: { allow: "POST" }, 503: { "retry-after": "1" } };

/** An error to be thrown, that the client is told of. */
export function refusal(statusCode: number, detail: string): Error {
  return Object.assign(new Error(detail), { statusCode, isRefusal: true });
}

/** What is thrown, or answered, for a body above a limit. */
export function tooLarge(maxBodyBytes: number): Error {
  return refusal(413, `the body is above ${maxBodyBytes} bytes`);
}

/** What a client is told of an error: all of a refusal, fastify's words for a client's mistakes, nothing of ours. */
export function problemOf(error: unknown): Problem {
  const { statusCode = 500, isRefusal, message } = error as Error & { statusCode?: number; isRefusal?: true };
  if (statusCode === 415) return problem(415, "Content-Type is to be application/json");
  return isRefusal || statusCode < 500 ? problem(statusCode, message) : problem(500, "the server failed");
}

/**
 * Sends an answer, past fastify: that would close the connection on a body that is refused, and a client that still sends
 * it would see a reset instead of the answer. Node drops what comes, for as long as a request may take.
 */
export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  // RFC 9110 section 8.6: a 204 has no length.
  if (status === 204) response.writeHead(status, headers).end();
  else response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
}

/** What is wrong with what Node cannot read as HTTP, or not in time. */
export function problemOfParser({ code }: NodeJS.ErrnoException): Problem {
  if (code === "HPE_HEADER_OVERFLOW") return problem(431, "the head of the request is too long");
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return problem(408, "the request was not whole in time");
  return problem(400, "the request is no HTTP/1.1");
}

/** Sends a problem where there is no request to answer, and closes the connection: RFC 9112 section 11.2. */
export function endWith(socket: Socket, wrong: Problem): void {
  const body = JSON.stringify(wrong);
  const head = `content-type: ${PROBLEM_JSON}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  socket.end(`HTTP/1.1 ${wrong.status} ${wrong.title}\r\n${head}\r\n\r\n${body}`, () => socket.destroy());
}
