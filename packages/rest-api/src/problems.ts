/**
 * Errors as RFC 9457 has them: what a route throws, what a schema finds.
 *
 * @module
 */
import { CHALLENGE, PROBLEM_JSON, problem } from "@ipc/core/http-guard";
import { problemOf } from "@ipc/core/http-problems";
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
  const { validation, validationContext } = error as Partial<FastifyError>;
  if (validation) return invalid(validation, validationContext ?? "body");
  return problemOf(error, { 413: `The body is above ${maxBodyBytes} bytes` });
}

/** Answers with a problem, now. */
export function sendProblem(reply: FastifyReply, found: BookProblem): FastifyReply {
  if (found.status === 503) reply.header("retry-after", "1");
  if (found.status === 401) reply.header("www-authenticate", CHALLENGE);
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
