/**
 * JSON-RPC over HTTP: one message a POST. What is JSON-RPC is answered with 200, errors too, or 204 where there is no
 * answer; any other status says that it did not get so far, in `application/problem+json`.
 *
 * @module
 */
import type { AddressInfo } from "node:net";
import { createHttpCloser } from "@ipc/core/http-close";
import { createHttpGuard, type HttpGuardOptions, PROBLEM_JSON, type Problem, problem } from "@ipc/core/http-guard";
import { problemOf, refuseExpectation, refuseUnreadable } from "@ipc/core/http-problems";
import { listenError } from "@ipc/core/listen-error";
import { tell } from "@ipc/core/tell";
import { formatAddress } from "@ipc/core/url";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { Caller, peerOf } from "./caller.ts";
import { type Answer, type Dispatcher, PARSE_ERROR } from "./dispatcher.ts";

/** Where and how it listens. All durations in ms. */
export interface HttpOptions extends HttpGuardOptions {
  host: string;
  port: number;
  maxConnections: number;
  maxFrameBytes: number;
  headersTimeoutMs: number;
  requestTimeoutMs: number;
  idleTimeoutMs: number;
  graceMs: number;
  onEvent?: ((event: RejectedEvent) => void) | undefined;
}

/** A message was no JSON, or HTTP did not let it through. */
export interface RejectedEvent {
  type: "rejected";
  peer: string;
  /** Of the answer: 200 where it was JSON-RPC's. */
  status: number;
  reason: string;
}

/** Listens. @throws {Error} `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, with the URL in its text. */
export async function startHttp(options: HttpOptions, dispatcher: Dispatcher) {
  const { host, port, maxConnections, graceMs } = options;
  const app = createApp(options, dispatcher);
  const closeServer = createHttpCloser(app.server);
  app.server.maxConnections = maxConnections;
  try {
    await app.listen({ host, port, backlog: 4_096 });
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw listenError(formatAddress("http", { host, port }), error);
  }
  const { address, port: bound } = app.server.address() as AddressInfo;
  return {
    url: formatAddress("http", { host: address, port: bound }),
    async close(): Promise<void> {
      await closeServer(graceMs);
      await app.close();
    },
  };
}

function createApp(options: HttpOptions, dispatcher: Dispatcher): FastifyInstance {
  const { onEvent } = options;
  const guard = createHttpGuard(options);
  const details = { 413: `the body is above ${options.maxFrameBytes} bytes`, 415: "send it as application/json" };
  const app = fastify({
    bodyLimit: options.maxFrameBytes,
    requestTimeout: options.requestTimeoutMs,
    connectionTimeout: options.idleTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    http: { headersTimeout: options.headersTimeoutMs, connectionsCheckingInterval: 1_000, requireHostHeader: false },
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: (error, request, reply) => reject(request, reply, problem(400, error.message)),
    exposeHeadRoutes: false,
  });

  function reject(request: FastifyRequest, reply: FastifyReply, found: Problem) {
    const { status, detail: reason } = found;
    tell(onEvent, { type: "rejected", peer: peerOf(request.socket), status, reason });
    return reply.code(status).type(PROBLEM_JSON).send(found);
  }

  app.server.on("checkExpectation", refuseExpectation);
  app.addHook("onRequest", (request, reply, done) => {
    const refused = guard(request.raw);
    if (refused) reject(request, reply, refused);
    else if (request.headers["content-encoding"] === undefined) done();
    else reject(request, reply, problem(415, "send it uncompressed"));
  });
  // The bytes as they are: what is no JSON is for JSON-RPC to answer.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  app.post("/", (request, reply) => {
    // Without a body and a type fastify asks no parser.
    if (!(request.body instanceof Uint8Array)) return void reject(request, reply, problem(415, details[415]));
    let answer: Answer | Promise<Answer>;
    try {
      answer = dispatcher.dispatch(request.body, new Caller(request.socket, reply.raw));
    } catch {
      tell(onEvent, { type: "rejected", peer: peerOf(request.socket), status: 200, reason: "it was no JSON" });
      answer = PARSE_ERROR;
    }
    if (answer instanceof Promise) void answer.then((text) => send(reply, text));
    else send(reply, answer);
  });
  app.setNotFoundHandler((request, reply) => {
    if (!/^\/(\?|$)/.test(request.url)) return reject(request, reply, problem(404, "JSON-RPC is at /"));
    return reject(request, reply.header("allow", "POST"), problem(405, "JSON-RPC is sent by POST"));
  });
  app.setErrorHandler((error, request, reply) => reject(request, reply, problemOf(error, details)));
  return app;
}

function send(reply: FastifyReply, answer: Answer): void {
  if (answer === undefined) reply.code(204).send();
  else reply.header("content-type", "application/json; charset=utf-8").send(answer);
}
