/**
 * Errors as RFC 9457 has them, for everything that can go wrong, from a route's own to Node's parser's.
 *
 * @module
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { PROBLEM_JSON, type Problem, problem } from "@ipc/core/http-guard";
import type { FastifyError, FastifyReply } from "fastify";
import type { BookProblem } from "./books.ts";
import { DatabaseUnavailable } from "./database.ts";

/** An error that is to be answered with this status; its text is for the sender. */
export function httpError(status: number, text: string): Error & { statusCode: number } {
  return Object.assign(new Error(text), { statusCode: status });
}

/** What the sender is told about an error. What is not the sender's business is 500 without a word about it. */
export function toProblem(error: unknown, maxBodyBytes: number): BookProblem {
  if (error instanceof DatabaseUnavailable) return problem(503, "The database does not answer. Try again");
  const { statusCode = 500, code, message = "", validation, validationContext } = error as Partial<FastifyError>;
  if (validation) return invalid(validation, validationContext ?? "body");
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return problem(413, `The body is above ${maxBodyBytes} bytes`);
  if (code === "FST_ERR_BAD_URL") return problem(400, "The URL is not well-formed");
  const isForSender = statusCode === 503 || (statusCode >= 400 && statusCode < 500);
  return isForSender
    ? problem(statusCode, message)
    : problem(500, "Something went wrong in the server. Its log has more");
}

/** Answers with a problem, now. */
export function sendProblem(reply: FastifyReply, found: BookProblem): FastifyReply {
  if (found.status === 503) reply.header("retry-after", "1");
  return reply.code(found.status).type(PROBLEM_JSON).serializer(JSON.stringify).send(found);
}

type Fault = NonNullable<FastifyError["validation"]>[number];

/** What is wrong with what a schema describes, member by member. */
function invalid(validation: Fault[], context: string): BookProblem {
  const errors = validation.flatMap(toErrors);
  const { pointer, detail } = errors[0] ?? { pointer: "", detail: "is not valid" };
  const where = context.slice(0, 1).toUpperCase() + context.slice(1) + pointer.replaceAll("/", " ");
  return { ...problem(400, `${where} ${detail}`), errors };
}

function toErrors({ keyword, instancePath: pointer, params, message }: Fault) {
  const details: Record<string, string | undefined> = {
    boolean: "is not known",
    pattern: "has characters that it must not have, or none",
    enum: `must be ${[params["allowedValues"]].flat().join(" or ")}`,
    // Said of the whole, where the parts say more.
    additionalProperties: undefined,
    anyOf: undefined,
  };
  if (keyword === "required") {
    return [params["requiredProperties"]]
      .flat()
      .map((name) => ({ pointer: `${pointer}/${name}`, detail: "is missing" }));
  }
  const detail = keyword in details ? details[keyword] : message;
  return detail === undefined ? [] : [{ pointer, detail }];
}

/**
 * Answers what Node could not read as a request, and closes the connection: 431 for long headers, 408 for slow ones,
 * 400 for the rest.
 *
 * @returns The problem; nothing when the other side is just gone.
 */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): Problem | undefined {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return undefined;
  }
  const found = UNREADABLE[error.code ?? ""] ?? problem(400, `The request is not HTTP/1.1: ${error.message}`);
  const body = JSON.stringify(found);
  const head = `HTTP/1.1 ${found.status} ${STATUS_CODES[found.status]}\r\nconnection: close`;
  const length = `content-length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\ncontent-type: ${PROBLEM_JSON}\r\n${length}\r\n\r\n${body}`, () => socket.destroy());
  return found;
}

const UNREADABLE: Record<string, Problem> = {
  HPE_HEADER_OVERFLOW: problem(431, "The headers are above 8192 bytes"),
  ERR_HTTP_REQUEST_TIMEOUT: problem(408, "The request did not come in time"),
};

/** 417 for an `Expect` that is not `100-continue` (RFC 9110 section 10.1.1). */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const found = problem(417, "Expect takes 100-continue alone");
  response.writeHead(found.status, { "content-type": PROBLEM_JSON, connection: "close" }).end(JSON.stringify(found));
}
