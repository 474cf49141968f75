/**
 * What never comes to a server's own code, or leaves it by an error, answered all the same as a problem: what Node cannot
 * read as a request, expectations that nobody has, what a framework throws.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { CHALLENGE, PROBLEM_JSON, type Problem, problem } from "./http-guard.ts";

/**
 * Answers what Node could not read as a request, and closes the connection (RFC 9112 section 11.2): 431 for long headers,
 * 413 for long chunk extensions, 408 for what is not whole in time, 400 for the rest. To be called on `clientError`.
 *
 * @returns What was answered; nothing where there is nobody to answer any more, or an answer is under way already.
 *
 * @example
 * ```ts
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import { type AddressInfo, connect } from "node:net";
 * import { text } from "node:stream/consumers";
 * import { refuseExpectation, refuseUnreadable } from "@ipc/core/http-problems";
 *
 * const server = createServer();
 * server.on("clientError", (error, socket) => console.log(refuseUnreadable(error, socket)?.title));
 * server.on("checkExpectation", refuseExpectation);
 * await once(server.listen(0, "127.0.0.1"), "listening");
 * const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
 * socket.write("Good day\r\n\r\n");
 * console.log((await text(socket)).split("\r\n")[0]);
 * server.close();
 * ```
 * ```text
 * Bad Request
 * HTTP/1.1 400 Bad Request
 * ```
 */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): Problem | undefined {
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return undefined;
  }
  const [status, detail] = UNREADABLE[error.code ?? ""] ?? [400, "the request is no HTTP/1.1"];
  const found = problem(status, detail);
  endWithProblem(socket, found);
  return found;
}

const UNREADABLE: Record<string, [status: number, detail: string]> = {
  HPE_HEADER_OVERFLOW: [431, "the headers are too long"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "the chunk extensions are too long"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request was not whole in time"],
};

/** A second answer in the middle of one would be read as its body. Node looks at the same member for its own answers. */
function isAnswering(socket: Duplex): boolean {
  return (socket as { _httpMessage?: ServerResponse })._httpMessage?.headersSent ?? false;
}

/** 417: of `Expect` there is one value, `100-continue`, which Node answers by itself. To be called on `checkExpectation`. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): Problem {
  const found = problem(417, "Expect is to be 100-continue");
  sendProblem(response, found, { connection: "close" });
  return found;
}

/** Answers a request with a problem. */
export function sendProblem(response: ServerResponse, found: Problem, headers: Record<string, string> = {}): void {
  const body = JSON.stringify(found);
  response.writeHead(found.status, { ...headersOf(found, body), ...headers }).end(body);
}

/** Answers with a problem where there is no response to write to, as on a refused upgrade, and closes the connection. */
export function endWithProblem(socket: Duplex, found: Problem, headers: Record<string, string> = {}): void {
  const body = JSON.stringify(found);
  const all = { ...headersOf(found, body), connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on("error", ignore);
  const head = `HTTP/1.1 ${found.status} ${found.title}\r\n${lines.join("")}\r\n`;
  socket.end(head + body, () => socket.destroy());
}

function headersOf({ status }: Problem, body: string) {
  const headers = { "content-type": PROBLEM_JSON, "content-length": String(Buffer.byteLength(body)) };
  return status === 401 ? { ...headers, "www-authenticate": CHALLENGE } : headers;
}

function ignore() {}

/**
 * What the sender is told of an error that was thrown: with a `statusCode` of the sender's mistakes (4xx), or of a server
 * that has no time (503), its text; of anything else, nothing.
 *
 * @param details Instead of an error's own text, by status.
 *
 * @example
 * ```ts
 * import { problemOf } from "@ipc/core/http-problems";
 *
 * const tooLarge = Object.assign(new Error("Request body is too large"), { statusCode: 413 });
 * console.log(problemOf(tooLarge, { 413: "the body is above 1024 bytes" }).detail);
 * console.log(problemOf(new Error("connect 10.0.0.7:5432")).detail);
 * ```
 * ```text
 * the body is above 1024 bytes
 * something went wrong in the server: its log has more
 * ```
 */
export function problemOf(error: unknown, details: Readonly<Record<number, string>> = {}): Problem {
  const { statusCode = 500, message = "" } = (error ?? {}) as { statusCode?: number; message?: string };
  const isForSender = statusCode === 503 || (statusCode >= 400 && statusCode < 500);
  if (isForSender) return problem(statusCode, details[statusCode] ?? message);
  return problem(500, details[500] ?? "something went wrong in the server: its log has more");
}
