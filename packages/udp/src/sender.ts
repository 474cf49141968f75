import { randomInt } from "node:crypto";
import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import {
  checkMessage,
  clockMs,
  encodeDatagram,
  HEADER_BYTES,
  KIND,
  parseHeader,
  UNFRAGMENTED_BYTES,
} from "./datagram.ts";
import { askUntilAnswered, Questions } from "./questions.ts";
import { type ConnectOptions, closeSocket, connectSocket, isMulticast, sendError } from "./socket.ts";
import { Tally } from "./tally.ts";

/** Options of {@link openSender}. */
export interface SenderOptions extends ConnectOptions {
  /** How long to wait for a receiver that is not there yet, in ms; 0 asks once. @default {10_000} */
  waitMs?: number | undefined;
  /**
   * Does not ask whether anybody is there, as UDP does by itself. Always so for a multicast group and for broadcasts.
   * @default {false}
   */
  blind?: boolean | undefined;
  /** How long a ping may take, in ms. @default {5_000} */
  timeoutMs?: number | undefined;
  /** Ends the waiting in `openSender()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: SenderEvent) => void) | undefined;
}

/** What a sender tells. */
export type SenderEvent =
  /** Nobody is there yet; said once. */
  | { type: "waiting"; url: string; error: Error }
  /** Nobody was there for datagrams that were sent; said at most once a second. Not every network says so. */
  | { type: "unreachable"; url: string; count: number }
  /** A datagram is so long that it goes in fragments; said once. */
  | { type: "fragmented"; datagramBytes: number; unfragmentedBytes: number };

/** Somebody who sends datagrams to one address. */
export interface Sender {
  readonly url: string;
  /** Whether nobody was asked: so wished, or because all of a group or network would answer. */
  readonly blind: boolean;
  readonly isClosed: boolean;
  /**
   * Sends a message; resolves when the system has taken it, which says nothing about whether it arrives. Waiting for
   * that is all the backpressure there is. Rejects with `EMSGSIZE` above 65,489 bytes, `EPIPE` when the sender is
   * closed, or with what the system says: `ENETUNREACH`, `EACCES`.
   */
  send(message: Uint8Array): Promise<void>;
  /**
   * Asks the receiver to send a message back; resolves with how long that took, in ms. Rejects as `send()` does, and
   * with `ETIMEDOUT` when the question or the answer was lost, `ECONNREFUSED` when nobody listens there.
   */
  ping(message?: Uint8Array): Promise<number>;
  /** Lets the system take what is on its way to it. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const SENDER_DEFAULTS = { waitMs: DEFAULT_WAIT_MS, ttl: 1, timeoutMs: 5_000 } as const;

/**
 * Opens a sender; waits for a receiver that is not there yet.
 *
 * @param url Such as `udp://127.0.0.1:5005`; a group's address, or with `broadcast` a network's, reaches many.
 * @throws {Error} `ECONNREFUSED`, `ETIMEDOUT`, …, when nobody answers within `waitMs`; `ERR_INVALID_URL`.
 */
export async function openSender(url: string, options: SenderOptions = {}): Promise<Sender> {
  const { waitMs = DEFAULT_WAIT_MS, timeoutMs = SENDER_DEFAULTS.timeoutMs, signal, onEvent } = options;
  checkDurations({ waitMs, timeoutMs });
  const socket = await connectSocket(url, options);
  const blind = options.blind || options.broadcast || isMulticast(socket.remoteAddress().address);
  const stream = randomInt(2 ** 32);
  const pings = new Questions<number>(url, socket);
  const unreachable = new Tally((count) => tell(onEvent, { type: "unreachable", url, count }));
  let messageCount = 0;
  let pingCount = 0;
  let sending = 0;
  let onSent: (() => void) | undefined;
  let hasAdvised = false;
  let closed: Promise<void> | undefined;

  socket.on("message", (bytes) => {
    const header = parseHeader(bytes);
    // A pong brings the ping's own time of sending back.
    if (header?.kind === KIND.pong && header.stream === stream)
      pings.answer(header.sequence, clockMs() - header.sentAtMs);
  });
  // Of a datagram sent earlier: nobody was there for it. While a ping waits, it is the ping's answer.
  socket.on("error", (error) => {
    if (!pings.fail(error)) unreachable.add(url);
  });

  function check(message: Uint8Array) {
    if (closed !== undefined) throw sendError(url, "EPIPE", "the sender is closed");
    const datagramBytes = checkMessage(message, HEADER_BYTES);
    if (datagramBytes <= UNFRAGMENTED_BYTES || hasAdvised) return;
    hasAdvised = true;
    tell(onEvent, { type: "fragmented", datagramBytes, unfragmentedBytes: UNFRAGMENTED_BYTES });
  }

  async function send(message: Uint8Array) {
    check(message);
    const sequence = messageCount++ >>> 0;
    sending++;
    try {
      await transmit(encodeDatagram({ kind: KIND.message, stream, sequence, sentAtMs: clockMs() }, message));
    } finally {
      if (--sending === 0) onSent?.();
    }
  }

  function transmit(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.send(bytes, (cause: NodeJS.ErrnoException | null) => {
        if (!cause) return resolve();
        if (cause.code !== "ECONNREFUSED") return reject(sendError(url, cause.code ?? "", cause.message, cause));
        // Instead of sending, the system tells that nobody was there for an earlier datagram.
        unreachable.add(url);
        resolve(transmit(bytes));
      });
    });
  }

  function ask(message: Uint8Array, limitMs: number): Promise<number> {
    const sequence = pingCount++ >>> 0;
    const ping = encodeDatagram({ kind: KIND.ping, stream, sequence, sentAtMs: clockMs() }, message);
    return pings.ask(sequence, ping, limitMs);
  }

  // No async function: a promise less a round trip.
  function ping(message: Uint8Array = NO_MESSAGE) {
    try {
      check(message);
    } catch (error) {
      return Promise.reject(error);
    }
    return ask(message, timeoutMs);
  }

  async function closeAll() {
    pings.end(sendError(url, "EPIPE", "the sender is closed"));
    if (sending > 0) await new Promise<void>((resolve) => (onSent = resolve));
    unreachable.end();
    await closeSocket(socket);
  }
  const close = () => (closed ??= closeAll());

  if (!blind) {
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
    try {
      await askUntilAnswered((limitMs) => ask(NO_MESSAGE, limitMs), { waitMs, signal, onWaiting });
    } catch (error) {
      await close();
      throw error;
    }
  }
  return {
    url,
    blind,
    get isClosed() {
      return closed !== undefined;
    },
    send,
    ping,
    close,
    [Symbol.asyncDispose]: close,
  };
}

const NO_MESSAGE = new Uint8Array(0);
