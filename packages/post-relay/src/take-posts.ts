import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { createHttpGuard, type HttpGuardOptions, type Problem, problem } from "@ipc/core/http-guard";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { type Answer, problemOf, sendAnswer, tooLarge } from "./answer.ts";
import { type BodyLimits, BodyReader } from "./body.ts";

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

/** Answers posts to `/` by `onPost`, all else with a problem. */
export function takePosts(
  app: FastifyInstance,
  options: HttpGuardOptions & BodyLimits,
  onPost: (post: Post) => Promise<Answer>,
  refuse: (response: ServerResponse, problem: Problem) => void,
): void {
  const guard = createHttpGuard(options);
  const bodies = new BodyReader(options, app.getDefaultJsonParser("error", "error"));

  app.addHook("onRequest", ({ raw }, reply, next) => {
    const wrong = guard(raw) ?? whatIsWrong(raw, options.maxBodyBytes);
    if (!wrong) return next();
    reply.hijack();
    refuse(reply.raw, wrong);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", (request, payload, done) => bodies.read(request, payload, done));
  app.setErrorHandler((error, _request, reply) => {
    reply.hijack();
    refuse(reply.raw, problemOf(error));
  });
  app.post("/", (request, reply) => {
    reply.hijack();
    void answer(request, reply.raw);
  });

  async function answer({ raw: { headers, socket }, body }: FastifyRequest, response: ServerResponse): Promise<void> {
    if (!Buffer.isBuffer(body)) return refuse(response, problem(400, "there is no body"));
    const key = headers["idempotency-key"] as string | undefined;
    try {
      sendAnswer(response, await onPost({ key, body, headers, socket }));
    } catch (error) {
      refuse(response, problemOf(error));
    } finally {
      bodies.release(body);
    }
  }
}

/** By the head of a request, before its body is read. */
function whatIsWrong(request: IncomingMessage, maxBodyBytes: number): Problem | undefined {
  const { method, url, headers, httpVersion } = request;
  if (headers.host === undefined && httpVersion !== "1.0") return problem(400, "there is no Host header");
  if (url !== "/") return problem(404, "there is nothing but /");
  if (method !== "POST") return problem(405, `${method} is not for here: send a POST`);
  if (headers["content-encoding"] !== undefined) return problem(415, "Content-Encoding is not for here: send it plain");
  if (Number(headers["content-length"]) > maxBodyBytes) return problemOf(tooLarge(maxBodyBytes));
  const key = headers["idempotency-key"];
  if (key === undefined || KEY.test(String(key))) return undefined;
  return problem(400, "Idempotency-Key is to be one, of 1 to 255 visible ASCII characters without blanks");
}
