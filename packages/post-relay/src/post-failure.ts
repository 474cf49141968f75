import type { Answer } from "./answer.ts";
import type { Outcome } from "./exchange.ts";

/** What a post was answered with. */
export interface PostAnswer {
  /** 200 to 299. */
  status: number;
  /** JSON that has been read; text where it is none. */
  body: unknown;
}

/** Why a post has no such answer. */
export interface PostFailure extends Error {
  code: "ERR_WRONG_TOKEN" | "ERR_POST_REFUSED" | "ERR_POST_FAILED" | "ERR_POST_UNKNOWN";
  /** That of the post: to repeat it with. */
  idempotencyKey: string;
  /** The last answer, where there was one. */
  status?: number | undefined;
  body?: unknown;
}

/** What a client's user gets. @throws {PostFailure} when it is no answer of 2xx, or that for which there was no room. */
export function readOutcome(outcome: Outcome, url: string, idempotencyKey: string): PostAnswer {
  const error = outcome instanceof Error ? outcome : undefined;
  const answer = outcome instanceof Error ? outcome.answer : outcome;
  if (error?.code === "ENOBUFS") throw error;
  const { status = 0, body } = answer ? { status: answer.status, body: readBody(answer) } : {};
  if (!error && status >= 200 && status <= 299) return { status, body };

  const { detail, done } = membersOf(body);
  const isLetIn = status !== 401;
  const reason = typeof detail === "string" ? detail : (error?.message ?? `the answer is ${status}`);
  const why = isLetIn ? reason : "it wants a token";
  const code = isLetIn ? codeOf(error ? error.isDone === "unknown" : status >= 500, done, error) : "ERR_WRONG_TOKEN";
  const withKey = code === "ERR_POST_UNKNOWN" ? ` (its key: ${idempotencyKey})` : "";
  throw Object.assign(new Error(`Cannot post to ${url}: ${why}${withKey}`, { cause: error }), {
    code,
    idempotencyKey,
    ...(answer && { status, body }),
  });
}

function codeOf(mayBeDone: boolean, done: unknown, error: Error | undefined): PostFailure["code"] {
  if (mayBeDone && done !== "no") return "ERR_POST_UNKNOWN";
  return error ? "ERR_POST_FAILED" : "ERR_POST_REFUSED";
}

function readBody({ body }: Answer): unknown {
  const text = body.toString();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** As in a problem (RFC 9457). */
function membersOf(body: unknown): { detail?: unknown; done?: unknown } {
  return typeof body === "object" && body !== null ? body : {};
}
