import { checkDurations } from "@ipc/core/durations";
import type { Request } from "zeromq";
import { join, openConnection, type ReachOptions } from "./reach.ts";
import { checkFrame, parseReply } from "./reply.ts";
import { type Create, receive, SOCKET_DEFAULTS } from "./socket.ts";
import { closeOnce, createConditions } from "./waiting.ts";

/** Options of {@link connect}. */
export interface ClientOptions extends ReachOptions {
  /** How long a try may take, in ms. @default {2_500} */
  timeoutMs?: number | undefined;
  /** How often a request is sent; more than once only what may be done twice. @default {3} */
  tries?: number | undefined;
  /** How many requests may wait for their turn. @default {10_000} */
  maxQueued?: number | undefined;
}

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = { ...SOCKET_DEFAULTS, timeoutMs: 2_500, tries: 3, maxQueued: 10_000 } as const;

/** Sends requests to a server or a broker, one after another. */
export interface Client extends AsyncDisposable {
  readonly url: string;
  /**
   * Sends a request and resolves with its reply. May be called many times at once: they are sent one by one, in order.
   *
   * @throws {Error} `ETIMEDOUT` no reply after `tries`: whether it was done is unknown ·
   *   `ENOBUFS` more than `maxQueued` wait · `EPIPE` closed ·
   *   `ERR_FRAME_TOO_LARGE` · what the server answered with (`ERR_REQUEST`, `ERR_HANDLER`, …).
   */
  request(message: Uint8Array): Promise<Uint8Array>;
  /** Refuses further requests, waits at most `graceMs` for the replies that are owed, and ends. */
  close(): Promise<void>;
}

/**
 * Connects to whoever answers requests; waits for a server that is not there yet. A reply that does not come in time is
 * asked for again over a new socket (the "Lazy Pirate" of the ZeroMQ guide, chapter 4): a REQ socket that waits for a
 * reply can do nothing else.
 *
 * @param url Such as `tcp://127.0.0.1:9999` or `ipc:///tmp/zmq.sock`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` nobody there within `waitMs` · `EACCES` the server does not let us in.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { timeoutMs = CLIENT_DEFAULTS.timeoutMs, tries = CLIENT_DEFAULTS.tries } = options;
  const { maxQueued = CLIENT_DEFAULTS.maxQueued } = options;
  checkDurations({ timeoutMs });
  let renew = (): Request => socket;
  const create: Create<Request> = ({ Request }, settings) => {
    // What was given up is not to be sent when a server comes back.
    renew = () => new Request({ ...settings, linger: 0, receiveTimeout: timeoutMs });
    return renew();
  };
  const { socket: first, maxFrameBytes, graceMs, report } = await openConnection(create, url, options);
  const { changed, until } = createConditions();
  let socket = first;
  let last: Promise<unknown> = Promise.resolve();
  let queued = 0;
  let isClosing = false;

  async function ask(message: Uint8Array): Promise<Uint8Array> {
    for (let count = 1; count <= tries; count++) {
      if (!isClosing || !socket.closed) await socket.send(message);
      const frames = await receive(socket);
      if (frames) return parseReply(frames);
      if (socket.closed) throw failure("ECONNRESET", `Cannot get reply from ${url}: the client was closed`);
      socket.close();
      socket = renew();
      join(socket, url, options, report);
    }
    throw failure("ETIMEDOUT", `Cannot get reply from ${url}: none came in ${tries} tries of ${timeoutMs} ms`);
  }

  async function request(message: Uint8Array): Promise<Uint8Array> {
    checkFrame(message, maxFrameBytes);
    if (isClosing) throw failure("EPIPE", `Cannot send request to ${url}: the client is closed`);
    if (queued >= maxQueued) throw failure("ENOBUFS", `Cannot queue request: ${queued} wait, limit is ${maxQueued}`);
    const turn = queued === 0 ? ask(message) : last.then(() => ask(message));
    queued++;
    last = turn.then(leave, leave);
    return await turn;
  }
  function leave(): void {
    queued--;
    changed();
  }

  const handle = closeOnce(async () => {
    isClosing = true;
    await until(() => queued === 0, graceMs);
    socket.close();
    await last;
  });
  return { url, request, ...handle };
}

function failure(code: string, text: string): Error {
  return Object.assign(new Error(text), { code });
}
