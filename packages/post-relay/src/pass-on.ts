/**
 * What a relay passes on and back.
 *
 * @module
 */
import { problem } from "@ipc/core/http-guard";
import { type Answer, answerProblem, refusal } from "./answer.ts";
import type { Outcome, PostError } from "./exchange.ts";

type Headers = Answer["headers"];

/** What a relay is shown, and what it shows: without either, `Authorization` is between client and sink. */
interface Tokens {
  token?: string | undefined;
  sinkToken?: string | undefined;
}

/** The fields of a request that go on to the sink. @throws {Error} for the client, when one has more in it than ASCII. */
export function requestHeaders(headers: Partial<Headers>, { token, sinkToken }: Tokens): Headers {
  const kept = endToEnd(headers, NOT_REQUEST, (name) => {
    throw refusal(400, `the field ${name} has more in it than ASCII`);
  });
  if (token !== undefined) delete kept["authorization"];
  if (sinkToken !== undefined) kept["authorization"] = `Bearer ${sinkToken}`;
  return kept;
}

/** The sink's 401 is for whoever chose what it was shown: the relay's fault is none of the client's. */
export function checkLetIn(outcome: Outcome, { token, sinkToken }: Tokens): Outcome {
  if (outcome instanceof Error || outcome.status !== 401) return outcome;
  if (token === undefined && sinkToken === undefined) return outcome;
  const error = new Error("the sink wants a token, or another one");
  return Object.assign(error, { code: "ERR_WRONG_TOKEN", isDone: "no" } as const);
}

/** What the client is answered with: what the sink answered, or why there is no answer. */
export function passBack(outcome: Outcome): Answer {
  if (outcome instanceof Error) return outcome.answer ? passBack(outcome.answer) : answerFailure(outcome);
  const { status, headers, body } = outcome;
  // Whoever follows a redirection lets the sink choose the target.
  if (status < 200 || (status >= 300 && status < 400)) {
    return failure(502, `the sink answered ${status}, which is no answer to a post`, "unknown");
  }
  return { status, headers: endToEnd(headers, NOT_ANSWER, () => {}), body };
}

function answerFailure({ code, isDone }: PostError): Answer {
  if (code === "ENOBUFS") return failure(503, "too many posts wait for the sink: try again later", "no");
  if (code === "ETIMEDOUT") return failure(504, "the sink took too long", "unknown");
  // Why exactly is for the log: the text of the system's error has the sink's address in it.
  return failure(502, REASONS[code] ?? "the sink cannot be reached", isDone);
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: "the sink refused the connection",
  ECONNRESET: "the connection to the sink was lost",
  ERR_WRONG_TOKEN: "the sink does not let the relay in",
  ERR_ANSWER: "what the sink answered cannot be used",
};

function failure(status: number, what: string, done: "no" | "unknown"): Answer {
  const advice =
    done === "no"
      ? "It does not have the post"
      : "Unknown whether it has the post: repeat with the same Idempotency-Key";
  return answerProblem({ ...problem(status, `${what}. ${advice}`), done });
}

/** Made by whoever is on a connection for that connection: RFC 9110 section 7.6.1. */
const HOP_BY_HOP = [
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
];

/** Beside those: what the relay answers for itself, and what anybody may have made up about where a request came from. */
const NOT_REQUEST = new Set([
  ...HOP_BY_HOP,
  ...["host", "content-length", "content-type", "expect", "idempotency-key", "origin", "via"],
  ...["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"],
]);
const NOT_ANSWER = new Set([...HOP_BY_HOP, "content-length", "date"]);

/** What can stand in a field without being taken for something else: RFC 9110 section 5.5, without obs-text. */
const PLAIN = /^[\t\x20-\x7e]*$/;

function endToEnd(headers: Partial<Headers>, dropped: Set<string>, onOdd: (name: string) => void): Headers {
  const { connection = "" } = headers;
  // What stands there nearly always names none.
  const named =
    connection === "keep-alive" || connection === "close" || connection === "" ? undefined : namesIn(connection);
  const kept: Headers = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || dropped.has(name) || named?.has(name)) continue;
    if (PLAIN.test(String(value))) kept[name] = value;
    else onOdd(name);
  }
  return kept;
}

/** The fields that `Connection` names. */
function namesIn(connection: string | string[]): Set<string> {
  const names = String(connection).split(",");
  return new Set(names.map((name) => name.trim().toLowerCase()));
}
