import { checkDurations } from "@ipc/core/durations";
import { tell } from "@ipc/core/tell";
import { whenAborted } from "@ipc/core/when-aborted";
import { checkMessage } from "../datagram.ts";
import { closeSocket, connectSocket, findEndpoint, sendError } from "../socket.ts";
import { createTally } from "../tally.ts";
import { CLIENT_DEFAULTS, type Client, type ClientOptions, type RequestOptions } from "./client-options.ts";
import { Flight, PendingRequest } from "./flight.ts";
import { sayHello } from "./hello.ts";
import { PACKET, PACKET_HEADER_BYTES, parsePacket } from "./packet.ts";

/**
 * Connects to a server for requests that are done exactly once; waits for one that is not there yet.
 *
 * @param url Such as `udp://127.0.0.1:5005`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED`, `ETIMEDOUT`, …, when nobody answers within `waitMs`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const {
    timeoutMs = CLIENT_DEFAULTS.timeoutMs,
    waitMs = CLIENT_DEFAULTS.waitMs,
    maxPauseMs = CLIENT_DEFAULTS.maxPauseMs,
    maxInFlight = CLIENT_DEFAULTS.maxInFlight,
    maxInFlightBytes = CLIENT_DEFAULTS.maxInFlightBytes,
    graceMs = CLIENT_DEFAULTS.graceMs,
    onEvent,
  } = options;
  checkDurations({ timeoutMs, waitMs, maxPauseMs, graceMs });
  const socket = await connectSocket(url, await findEndpoint(url));
  const closing = new AbortController();
  const unreachable = createTally<void>((count) => tell(onEvent, { type: "unreachable", url, count }));
  /** Those that are not sent yet. */
  const line: PendingRequest[] = [];
  let flight: Flight | undefined;
  let opening: Promise<void> | undefined;
  let heldBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let onIdle: (() => void) | undefined;

  async function open(signal: AbortSignal) {
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
    const welcome = await sayHello(url, socket, { waitMs, signal, onWaiting });
    flight = new Flight(socket, welcome, maxPauseMs);
    tell(onEvent, { type: "connected", url });
    sendLine();
  }

  function reopen() {
    opening ??= open(closing.signal)
      .catch((error) => {
        for (const request of line.splice(0)) reject(request, error);
      })
      .finally(() => {
        opening = undefined;
      });
  }

  function request(message: Uint8Array, { timeoutMs: limitMs = timeoutMs, signal }: RequestOptions = {}) {
    const refusal = refuse(message, limitMs, signal);
    if (refusal) return Promise.reject(refusal.reason);
    return new Promise<Uint8Array>((resolve, reject) => {
      const request = new PendingRequest(message, performance.now() + limitMs, resolve, reject);
      if (signal) request.forget = whenAborted(signal, () => drop(request, signal.reason));
      heldBytes += message.length + REQUEST_BYTES;
      line.push(request);
      sendLine();
      arm(request.deadline);
    });
  }

  function refuse(message: Uint8Array, limitMs: number, signal: AbortSignal | undefined) {
    try {
      if (closing.signal.aborted) throw closing.signal.reason;
      if (signal?.aborted) throw signal.reason;
      checkMessage(message, PACKET_HEADER_BYTES);
      if (limitMs !== timeoutMs) checkDurations({ timeoutMs: limitMs });
      if (heldBytes + message.length + REQUEST_BYTES > maxInFlightBytes)
        throw tooMuch(url, heldBytes, maxInFlightBytes);
    } catch (reason) {
      return { reason };
    }
    return undefined;
  }

  function sendLine() {
    if (line.length === 0) return;
    if (flight?.isStale) flight = undefined;
    if (!flight) return reopen();
    const now = performance.now();
    while (flight.size < maxInFlight && flight.hasRoom) {
      const request = line.shift();
      if (!request) return;
      flight.send(request, now);
      arm(request.dueAt);
    }
  }

  function onDatagram(bytes: Buffer) {
    const packet = parsePacket(bytes);
    // What does not show our token is not from our server, or from before it was started anew.
    if (!packet || !flight?.isOurs(packet)) return;
    if (packet.kind === PACKET.unknown) return lose(flight);
    if (packet.kind !== PACKET.reply && packet.kind !== PACKET.failed) return;
    const request = flight.land(packet.number);
    if (!request) return;
    if (packet.kind === PACKET.reply) resolve(request, packet.message);
    else reject(request, sendError(url, "EPROTO", "the server took the message, and its handler failed"));
    sendLine();
  }

  function lose(lost: Flight) {
    flight = undefined;
    const error = sendError(url, "ECONNRESET", "the server was started anew, or has forgotten us");
    tell(onEvent, { type: "disconnected", url, error });
    for (const request of lost) reject(request, error);
    sendLine();
  }

  function resolve(request: PendingRequest, reply: Uint8Array) {
    forget(request);
    request.resolve(reply);
  }

  function reject(request: PendingRequest, error: unknown) {
    forget(request);
    request.reject(error);
  }

  function forget(request: PendingRequest) {
    request.forget?.();
    heldBytes -= request.message.length + REQUEST_BYTES;
    if (heldBytes === 0) onIdle?.();
  }

  /** Gives a request up, wherever it is. */
  function drop(request: PendingRequest, error: unknown) {
    if (!flight?.delete(request)) line.splice(line.indexOf(request), 1);
    reject(request, error);
  }

  function arm(at: number) {
    if (at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    // Timers run before what has come meanwhile is read: judged is after that.
    timer = setTimeout(() => setImmediate(sweep), Math.max(at - performance.now(), 1)).unref();
  }

  /** One timer for all requests: gives up what is over, sends again what is due. */
  function sweep() {
    timerAt = Number.POSITIVE_INFINITY;
    const now = performance.now() + 1;
    for (const request of [...(flight ?? []), ...line]) {
      if (request.deadline <= now) drop(request, sendError(url, "ETIMEDOUT", "no reply came in time"));
    }
    sendLine();
    let next = flight?.repeat(now) ?? Number.POSITIVE_INFINITY;
    for (const { deadline } of line) next = Math.min(next, deadline);
    if (next === Number.POSITIVE_INFINITY) flight?.tellDone();
    else arm(Math.max(next, now + TOGETHER_MS));
  }

  let closed: Promise<void> | undefined;
  async function closeAll() {
    const reason = sendError(url, "EPIPE", "the client is closed");
    closing.abort(reason);
    await opening;
    if (heldBytes > 0) {
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      const cutOff = setTimeout(() => {
        for (const request of [...(flight ?? []), ...line]) drop(request, reason);
      }, graceMs);
      await idle;
      clearTimeout(cutOff);
    }
    flight?.tellDone();
    flight = undefined;
    clearTimeout(timer);
    unreachable.end();
    await closeSocket(socket);
  }
  const close = () => (closed ??= closeAll());

  socket.on("message", onDatagram);
  // ICMP says that nobody is there, in anybody's name: requests are sent again all the same, until their time is over.
  socket.on("error", () => unreachable.add());
  try {
    await open(options.signal ?? closing.signal);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, request, close, [Symbol.asyncDispose]: close };
}

/** What a request counts for beside its message: about what its packet, promise and the rest take. */
const REQUEST_BYTES = 1_024;

/** 2 ms: what is to be sent again within a moment is sent again together. */
const TOGETHER_MS = 2;

function tooMuch(url: string, inFlightBytes: number, maxInFlightBytes: number): Error {
  const why = `${inFlightBytes} bytes wait for replies, limit is ${maxInFlightBytes}`;
  return Object.assign(sendError(url, "ENOBUFS", why), { inFlightBytes, maxInFlightBytes });
}
