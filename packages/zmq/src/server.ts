import { type ListenOptions, openListener } from "./listen.ts";
import { checkFrame, parseRequest, requestError, toErrorFrames } from "./reply.ts";
import { receive } from "./socket.ts";
import { closeOnce, createConditions } from "./waiting.ts";

/** What answers a request; those of other clients do not wait for it. Of what it throws only `onEvent` is told why. */
export type Handler = (request: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Options of {@link startServer}. */
export interface ServerOptions extends ListenOptions {
  /** What answers a request. @default {() => "Message Received"} */
  handler?: Handler | undefined;
  /** Whether the request `stop` is answered and then ends the server. @default {false} */
  allowStop?: boolean | undefined;
  /** How many requests are worked on at once; further ones wait unread. @default {1_000} */
  maxInFlight?: number | undefined;
}

/** A server that runs. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  /** Reads no more requests, answers those it has begun for at most `graceMs`, and ends. */
  close(): Promise<void>;
}

/**
 * Answers requests of REQ sockets. A REP socket would answer one after another, so that a slow handler held up everybody;
 * a ROUTER speaks to the same clients and lets handlers run side by side.
 *
 * @returns The server, listening; `url` tells where.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen; `ERR_ZEROMQ_BINARY`.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const { handler = () => RECEIVED, allowStop = false, maxInFlight = 1_000 } = options;
  const { socket, url, maxFrameBytes, graceMs, report, stop, end } = await openListener(
    // A reply that cannot be delivered is told, and never waited for.
    ({ Router }, settings) => new Router({ ...settings, mandatory: true, sendTimeout: 0 }),
    options,
  );
  const { changed, until } = createConditions();
  let inFlight = 0;
  let isClosing = false;

  async function answer(frames: Uint8Array[]): Promise<void> {
    inFlight++;
    const { envelope, body } = parseRequest(frames);
    const reply: (Uint8Array | string)[] = envelope;
    try {
      if (!body) throw requestError();
      const result = handler(body);
      const message = result instanceof Uint8Array ? result : await result;
      checkFrame(message, maxFrameBytes);
      reply.push(message);
    } catch (error) {
      report({ type: "failed", error: error instanceof Error ? error : new Error(String(error)) });
      reply.push(...toErrorFrames(error));
    }
    // Not awaited: with a timeout of 0 it has left or failed by now.
    if (!isClosing || !socket.closed) socket.send(reply).catch(onUndeliverable);
    inFlight--;
    changed();
    if (allowStop && body && STOP.equals(body)) {
      report({ type: "stopped" });
      await handle.close();
    }
  }
  const onUndeliverable = (error: Error) => report({ type: "undeliverable", error });

  async function serve(): Promise<void> {
    for (;;) {
      const frames = await receive(socket);
      if (!frames || isClosing) return;
      void answer(frames);
      if (inFlight >= maxInFlight) await until(() => inFlight < maxInFlight);
    }
  }
  void serve();

  const handle = closeOnce(async () => {
    isClosing = true;
    await until(() => inFlight === 0, graceMs);
    // Not before: it ends the connections as well.
    await stop();
    end();
  });
  return { url, ...handle };
}

const RECEIVED = Buffer.from("Message Received");
const STOP = Buffer.from("stop");
