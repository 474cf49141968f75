import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { whenAborted } from "@ipc/core/when-aborted";
import { checkMessage } from "../datagram.ts";
import { askUntilAnswered, Questions } from "../questions.ts";
import { closeSocket, connectSocket, sendError } from "../socket.ts";
import type { Client, ClientOptions, RequestOptions } from "./client-options.ts";
import { encodePacket, NO_TOKEN, PACKET, PACKET_HEADER_BYTES, parsePacket } from "./packet.ts";
import { RoundTrip } from "./round-trip.ts";

/**
 * Connects to a server for requests that are done exactly once; waits for one that is not there yet.
 *
 * @throws {Error} `ECONNREFUSED`, `ETIMEDOUT`, …, when nobody answers within `waitMs`; `ERR_INVALID_URL`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { timeoutMs = 5_000, waitMs = DEFAULT_WAIT_MS, maxInFlight = 64, graceMs = 3_000, onEvent } = options;
  const { maxInFlightBytes = 67_108_864 } = options;
  checkDurations({ timeoutMs, waitMs, graceMs });
  const socket = await connectSocket(url);
  const hellos = new Questions<string>(url, socket);
  const roundTrip = new RoundTrip();
  const closing = new AbortController();
  /** Not sent yet. */
  const line = new Set<PendingRequest>();
  /** In the order of their numbers. */
  const sent = new Map<number, PendingRequest>();
  let lastNumber = 0;
  /** By what the server knows us, while it does. */
  let session: string | undefined;
  let opening: Promise<void> | undefined;
  let heldBytes = 0;
  let idleTimer: NodeJS.Timeout | undefined;
  let onIdle: (() => void) | undefined;

  async function open(signal: AbortSignal) {
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
    const deadline = performance.now() + waitMs;
    let token = NO_TOKEN;
    for (let answers = 0; session === undefined; answers++) {
      const shown = token;
      const leftMs = Math.max(deadline - performance.now(), 0);
      if (answers > 1 && leftMs === 0) throw sendError(url, "ETIMEDOUT", "it does not know its own token again");
      token = await askUntilAnswered((limitMs) => sayHello(shown, limitMs), { waitMs: leftMs, signal, onWaiting });
      // The first answer is a token. Who shows it does get packets at its address, and is known by it from then on.
      if (token === shown) session = token;
    }
    tell(onEvent, { type: "connected", url });
    sendLine();
  }

  async function sayHello(token: string, limitMs: number): Promise<string> {
    const askedAt = performance.now();
    // By chance: who cannot see our packets cannot welcome us in the server's name.
    const number = randomInt(2 ** 47);
    const answer = await hellos.ask(number, encodePacket(PACKET.hello, number, 0, token), limitMs);
    roundTrip.add(performance.now() - askedAt);
    return answer;
  }

  async function reopen() {
    const failure = await open(closing.signal).catch((error: unknown) => ({ error }));
    opening = undefined;
    if (!failure) return;
    const waiting = [...line];
    line.clear();
    for (const request of waiting) giveUp(request, failure.error);
  }

  function request(message: Uint8Array, { timeoutMs: limitMs = timeoutMs, signal }: RequestOptions = {}) {
    return new Promise<Uint8Array>((resolve, reject) => {
      check(message, limitMs, signal);
      const deadline = performance.now() + limitMs;
      const request: PendingRequest = { message, deadline, resolve, reject, number: 0, tries: 0, sentAt: 0 };
      if (signal) request.forget = whenAborted(signal, () => giveUp(request, signal.reason));
      heldBytes += message.length + REQUEST_BYTES;
      line.add(request);
      sendLine();
      request.timer ??= setTimeout(onTimer, limitMs, request);
    });
  }

  function check(message: Uint8Array, limitMs: number, signal: AbortSignal | undefined) {
    closing.signal.throwIfAborted();
    signal?.throwIfAborted();
    checkMessage(message, PACKET_HEADER_BYTES);
    checkDurations({ timeoutMs: limitMs });
    if (heldBytes + message.length + REQUEST_BYTES <= maxInFlightBytes) return;
    const error = sendError(url, "ENOBUFS", `${heldBytes} bytes wait for replies, limit is ${maxInFlightBytes}`);
    throw Object.assign(error, { inFlightBytes: heldBytes, maxInFlightBytes });
  }

  function sendLine() {
    if (line.size > 0 && session === undefined) opening ??= reopen();
    if (session === undefined) return;
    for (const request of line) {
      if (sent.size >= maxInFlight) return;
      line.delete(request);
      request.number = ++lastNumber;
      sent.set(request.number, request);
      transmit(request, session);
    }
  }

  function transmit(request: PendingRequest, token: string) {
    const now = performance.now();
    const { number, message, deadline } = request;
    const [first = number] = sent.keys();
    request.tries++;
    request.sentAt = now;
    clearTimeout(request.timer);
    request.timer = setTimeout(onTimer, Math.min(roundTrip.pauseMs(request.tries), deadline - now), request);
    // Made anew each time: it also tells which replies the server need not keep any longer.
    socket.send(encodePacket(PACKET.request, number, first, token, message));
  }

  function onDatagram(bytes: Buffer) {
    const packet = parsePacket(bytes);
    if (packet?.kind === PACKET.welcome) return hellos.answer(packet.number, packet.token);
    // What does not show our token is not from our server, or from before it was started anew.
    if (packet === undefined || packet.token !== session) return;
    if (packet.kind === PACKET.unknown) return lose();
    const request = sent.get(packet.number);
    if (!request || (packet.kind !== PACKET.reply && packet.kind !== PACKET.failed)) return;
    if (request.tries === 1) roundTrip.add(performance.now() - request.sentAt);
    if (packet.kind === PACKET.failed) {
      return giveUp(request, sendError(url, "EPROTO", "the server took the message, and its handler failed"));
    }
    settle(request);
    request.resolve(packet.message);
    sendLine();
  }

  function lose() {
    session = undefined;
    const error = sendError(url, "ECONNRESET", "the server was started anew, or has forgotten us");
    tell(onEvent, { type: "disconnected", url, error });
    for (const request of [...sent.values()]) giveUp(request, error);
  }

  function giveUp(request: PendingRequest, error: unknown) {
    settle(request);
    request.reject(error);
    sendLine();
  }

  function settle(request: PendingRequest) {
    clearTimeout(request.timer);
    request.forget?.();
    line.delete(request);
    sent.delete(request.number);
    heldBytes -= request.message.length + REQUEST_BYTES;
    if (heldBytes > 0) return;
    onIdle?.();
    idleTimer ??= setTimeout(tellDone, IDLE_MS).unref();
  }

  /** Tells the server that it need not keep the last replies any longer. */
  function tellDone() {
    idleTimer = undefined;
    if (sent.size > 0 || session === undefined) return;
    socket.send(encodePacket(PACKET.done, lastNumber + 1, lastNumber + 1, session));
  }

  // Timers run before what has come meanwhile is read: judged is after that.
  const onTimer = (request: PendingRequest) => setImmediate(judge, request);

  function judge(request: PendingRequest) {
    const isSent = sent.get(request.number) === request;
    if (isSent && session !== undefined && request.deadline > performance.now() + 1) transmit(request, session);
    else if (isSent || line.has(request)) giveUp(request, sendError(url, "ETIMEDOUT", "no reply came in time"));
  }

  let closed: Promise<void> | undefined;
  async function closeAll() {
    const reason = sendError(url, "EPIPE", "the client is closed");
    closing.abort(reason);
    await opening;
    const idle = new Promise<void>((resolve) => (onIdle = resolve));
    if (heldBytes > 0) await Promise.race([idle, sleep(graceMs, undefined, { ref: false })]);
    for (const request of [...line, ...sent.values()]) giveUp(request, reason);
    clearTimeout(idleTimer);
    tellDone();
    hellos.end(reason);
    await closeSocket(socket);
  }
  const close = () => (closed ??= closeAll());

  socket.on("message", onDatagram);
  // ICMP says that nobody is there, in anybody's name: requests are sent again all the same, until their time is over.
  socket.on("error", (error) => hellos.fail(error));
  try {
    await open(options.signal ?? closing.signal);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, request, close, [Symbol.asyncDispose]: close };
}

/** A request that has no reply yet. */
interface PendingRequest {
  readonly message: Uint8Array;
  readonly deadline: number;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  /** 0 while it waits for its turn. */
  number: number;
  tries: number;
  sentAt: number;
  timer?: NodeJS.Timeout;
  /** Takes its listener off a signal. */
  forget?: () => void;
}

/** What a request counts for beside its message: about what its packet, promise and the rest take. */
const REQUEST_BYTES = 1_024;

/** 20 ms: so long after the last reply, and with nothing new to ask, the server is told to keep it no longer. */
const IDLE_MS = 20;
