import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import { createHttpGuard, type HttpGuardOptions, type Problem, problem } from "@ipc/core/http-guard";
import { endWithProblem, problemOf, refuseExpectation, refuseUnreadable } from "@ipc/core/http-problems";
import type { TokenOptions } from "@ipc/core/token";
import { type Answer, answerProblem, sendAnswer } from "./answer.ts";
import { type BodyLimits, BodyReader, tooLarge } from "./read-body.ts";

/** A post as it came in. */
export interface Post {
  /** The client's `Idempotency-Key`: what comes under the same one again is done once. */
  key: string | undefined;
  /** JSON, byte for byte as it was sent. */
  body: Buffer;
  headers: IncomingHttpHeaders;
  /** The client's connection: whether it is gone. */
  socket: { readonly destroyed: boolean };
}

/** An `Idempotency-Key`: visible ASCII. Two header lines, which Node joins by a comma and a space, are none. */
export const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Answers posts to `/` by `onPost`, all else with a problem.
 *
 * @param onRefused Hears of every problem that was answered.
 */
export function takePosts(
  server: Server,
  options: HttpGuardOptions & TokenOptions & BodyLimits,
  onPost: (post: Post) => Promise<Answer>,
  onRefused: (problem: Problem) => void,
): void {
  const guard = createHttpGuard(options);
  const bodies = new BodyReader(options);

  const findWrong = (request: IncomingMessage) => guard(request) ?? whatIsWrong(request, options.maxBodyBytes);

  server.on("request", take);
  // The client asks before it sends the body: RFC 9110 section 10.1.1.
  server.on("checkContinue", (request, response) => {
    // Whether the body comes all the same, nobody could tell: a refusal is the last of its connection.
    if (findWrong(request)) response.shouldKeepAlive = false;
    else response.writeContinue();
    take(request, response);
  });
  server.on("checkExpectation", (request, response) => onRefused(refuseExpectation(request, response)));
  // Node would close the connection without a word.
  server.on("connect", (_request, socket) => {
    const wrong = notForHere("CONNECT");
    endWithProblem(socket, wrong, { allow: "POST" });
    onRefused(wrong);
  });
  server.on("clientError", (error, socket) => {
    const wrong = refuseUnreadable(error, socket);
    if (wrong) onRefused(wrong);
  });

  function take(request: IncomingMessage, response: ServerResponse): void {
    const wrong = findWrong(request);
    if (wrong) refuse(response, wrong);
    else void answer(request, response);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers, socket } = request;
    let body: Buffer | undefined;
    try {
      body = await bodies.read(request);
      if (!body) return;
      const key = headers["idempotency-key"] as string | undefined;
      sendAnswer(response, await onPost({ key, body, headers, socket }));
    } catch (error) {
      refuse(response, problemOf(error));
    } finally {
      if (body) bodies.release(body);
    }
  }

  function refuse(response: ServerResponse, wrong: Problem): void {
    sendAnswer(response, answerProblem(wrong));
    onRefused(wrong);
  }
}

/** By the head of a request, before its body is read. */
function whatIsWrong(request: IncomingMessage, maxBodyBytes: number): Problem | undefined {
  const { method, url, headers, httpVersion } = request;
  const { host, "content-length": length, "content-type": type = "", "idempotency-key": key } = headers;
  if (host === undefined && httpVersion !== "1.0") return problem(400, "there is no Host header");
  if (url !== "/") return problem(404, "there is nothing but /");
  if (method !== "POST") return notForHere(method);
  if (length === undefined && headers["transfer-encoding"] === undefined) return problem(400, "there is no body");
  if (!JSON_TYPE.test(type)) return problem(415, "Content-Type is to be application/json");
  if (headers["content-encoding"] !== undefined) return problem(415, "Content-Encoding is not for here: send it plain");
  if (Number(length) > maxBodyBytes) return problemOf(tooLarge(maxBodyBytes));
  if (key === undefined || KEY.test(String(key))) return undefined;
  return problem(400, "Idempotency-Key is to be one, of 1 to 255 visible ASCII characters without blanks");
}

function notForHere(method = ""): Problem {
  return problem(405, `${method} is not for here: send a POST`);
}

/** With or without parameters: RFC 9110 section 8.3.1. */
const JSON_TYPE = /^application\/json[ \t]*(;|$)/i;
