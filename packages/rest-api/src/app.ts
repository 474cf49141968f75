import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import cors from "@fastify/cors";
import rateLimit from "@fastify/rate-limit";
import { createHttpGuard, type Problem, problem } from "@ipc/core/http-guard";
import { refuseExpectation, refuseUnreadable } from "@ipc/core/http-problems";
import { tell } from "@ipc/core/tell";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { peerOf } from "./events.ts";
import type { Settings } from "./options.ts";
import { httpError, sendProblem, toProblem } from "./problems.ts";

/** Who may ask, how slowly, how much; and that every answer that says no says it as a problem. */
export function createApp(settings: Settings): FastifyInstance {
  const { maxBodyBytes, onEvent } = settings;
  const guard = createHttpGuard(settings);
  const onRefused = ({ status, detail: reason }: Problem, socket: Parameters<typeof peerOf>[0]) =>
    tell(onEvent, { type: "refused", peer: peerOf(socket), status, reason });
  const app = fastify({
    bodyLimit: maxBodyBytes,
    requestTimeout: settings.requestTimeoutMs,
    connectionTimeout: settings.idleTimeoutMs,
    keepAliveTimeout: settings.idleTimeoutMs,
    http: {
      headersTimeout: settings.headersTimeoutMs,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 8_192,
      // The guard says it, as a problem.
      requireHostHeader: false,
    },
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, toProblem(error, maxBodyBytes)),
    clientErrorHandler(error, socket) {
      const found = refuseUnreadable(error, socket);
      if (found) onRefused(found, socket);
    },
  });
  app.server.maxConnections = settings.maxConnections;
  app.server.on("checkExpectation", (request, response) => {
    onRefused(refuseExpectation(request, response), request.socket);
  });

  app.addHook("onRequest", (request, reply, done) => {
    const refused = guard(request.raw);
    if (!refused) return done();
    onRefused(refused, request.socket);
    // Who breaks the protocol is not listened to any further.
    sendProblem(reply.header("connection", "close"), refused);
  });
  app.addHook("onRequest", takeTurns());
  if (onEvent) {
    app.addHook("onResponse", (request, reply, done) => {
      const { method, url: path, socket } = request;
      // A stream of changes: told as it began and as it ended.
      if (request.routeOptions.url === "/changes" && reply.statusCode === 200) return done();
      tell(onEvent, { type: "answered", peer: peerOf(socket), method, path, status: reply.statusCode });
      done();
    });
  }
  app.setErrorHandler((error, _request, reply) => {
    const found = toProblem(error, maxBodyBytes);
    const isExpected = (error as { statusCode?: number }).statusCode === found.status;
    if (found.status >= 500 && !isExpected) tell(onEvent, { type: "failed", error: error as Error });
    return sendProblem(reply, found);
  });
  return app;
}

/**
 * One answer after another on each connection: of those that are asked for before the last one has left there may be a
 * thousand in a packet, and who does not read would have all of them made, and kept.
 */
function takeTurns() {
  const last = new WeakMap<Socket, ServerResponse>();
  return ({ socket }: FastifyRequest, { raw }: FastifyReply, done: () => void) => {
    const before = last.get(socket);
    last.set(socket, raw);
    if (before === undefined || before.writableFinished) return done();
    before.once("close", () => {
      if (!socket.destroyed) done();
    });
  };
}

/** 429 for those who ask too often; pages of `allowedOrigins` may read what they ask for. */
export async function addLimits(
  app: FastifyInstance,
  { rateLimit: max, allowedOrigins = [] }: Settings,
): Promise<void> {
  if (allowedOrigins.length > 0) {
    await app.register(cors, {
      origin: [...allowedOrigins],
      methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
      exposedHeaders: ["ETag", "Link", "Location", "Retry-After"],
    });
  }
  if (max === 0) return void app.setNotFoundHandler(answerNotFound);
  const errorResponseBuilder = () =>
    httpError(429, `More than ${max} requests in a minute: wait for Retry-After seconds`);
  await app.register(rateLimit, { max, timeWindow: 60_000, enableDraftSpec: true, errorResponseBuilder });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, answerNotFound);
}

function answerNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendProblem(reply, problem(404, `There is no ${request.url}`));
}
