import type { ServerResponse } from "node:http";
import { CHALLENGE, PROBLEM_JSON, type Problem } from "@ipc/core/http-guard";

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

/** What a status promises: RFC 9110 sections 11.6.1, 15.5.6 and 10.2.3. */
const ALWAYS: Record<number, Record<string, string>> = {
  401: { "www-authenticate": CHALLENGE },
  405: { allow: "POST" },
  503: { "retry-after": "1" },
};

/** An error to be thrown, that the client is told of. */
export function refusal(statusCode: number, detail: string): Error {
  return Object.assign(new Error(detail), { statusCode });
}

/** Sends an answer. What still comes of a body that was refused Node drops, for as long as a request may take. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  // RFC 9110 section 8.6: a 204 has no length.
  if (status === 204) response.writeHead(status, headers).end();
  else response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
}
