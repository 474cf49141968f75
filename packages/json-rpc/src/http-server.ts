/**
 * JSON-RPC over HTTP: one message a POST. What is JSON-RPC is answered with 200, errors too, or 204 where there is no
 * answer; any other status says that it did not get so far, in `application/problem+json`.
 *
 * @module
 */
import type { AddressInfo } from "node:net";
import { createHttpCloser } from "@ipc/core/http-close";
import { createHttpGuard, type HttpGuardOptions, PROBLEM_JSON, problem } from "@ipc/core/http-guard";
import { listenError } from "@ipc/core/listen-error";
import { tell } from "@ipc/core/tell";
import { formatAddress } from "@ipc/core/url";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { Caller, peerOf } from "./caller.ts";
import type { Dispatch } from "./dispatcher.ts";
import { answerClientError, answerExpectation } from "./http-errors.ts";

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
export async function startHttp(options: HttpOptions, dispatch: Dispatch) {
  const { host, port, maxConnections, graceMs } = options;
  const app = createApp(options, dispatch);
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

function createApp(options: HttpOptions, dispatch: Dispatch): FastifyInstance {
  const { onEvent } = options;
  const guard = createHttpGuard(options);
  const reasons: Record<number, string> = {
    413: `the body is above ${options.maxFrameBytes} bytes`,
    415: "send it as application/json",
  };
  const app = fastify({
    bodyLimit: options.maxFrameBytes,
    requestTimeout: options.requestTimeoutMs,
    connectionTimeout: options.idleTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    http: { headersTimeout: options.headersTimeoutMs, connectionsCheckingInterval: 1_000, requireHostHeader: false },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => reject(request, reply, 400, error.message),
    exposeHeadRoutes: false,
  });

  function reject(request: FastifyRequest, reply: FastifyReply, status: number, reason: string) {
    tell(onEvent, { type: "rejected", peer: peerOf(request.socket), status, reason });
    return reply.code(status).type(PROBLEM_JSON).send(problem(status, reason));
  }

  app.server.on("checkExpectation", answerExpectation);
  app.addHook("onRequest", (request, reply, done) => {
    const refused = guard(request.raw);
    if (refused) reject(request, reply, refused.status, refused.detail);
    else if (request.raw.httpVersion === "1.1" && !request.headers.host) reject(request, reply, 400, "it has no Host");
    else if (request.headers["content-encoding"] !== undefined) reject(request, reply, 415, "send it uncompressed");
    else done();
  });
  // The bytes as they are: what is no JSON is for JSON-RPC to answer.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  app.post("/", (request, reply) => {
    // Without a body and a type fastify asks no parser.
    if (!(request.body instanceof Uint8Array)) return void reject(request, reply, 415, reasons[415] ?? "");
    const isJson = dispatch(request.body, new Caller(request.socket, reply.raw), (text) => {
      if (text === undefined) reply.code(204).send();
      else reply.header("content-type", "application/json; charset=utf-8").send(text);
    });
    if (!isJson)
      tell(onEvent, { type: "rejected", peer: peerOf(request.socket), status: 200, reason: "it was no JSON" });
  });
  app.setNotFoundHandler((request, reply) => {
    if (!/^\/(\?|$)/.test(request.url)) return reject(request, reply, 404, "JSON-RPC is at /");
    return reject(request, reply.header("allow", "POST"), 405, "JSON-RPC is sent by POST");
  });
  app.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    const { statusCode: status = 500, message } = error;
    return reject(request, reply, status, reasons[status] ?? (status < 500 ? message : "something went wrong here"));
  });
  return app;
}
