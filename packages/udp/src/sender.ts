import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS, retry } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { checkMessage, clockMs, encodeDatagram, HEADER_BYTES, KIND, UNFRAGMENTED_BYTES } from "./datagram.ts";
import { createPings } from "./pings.ts";
import { closeSocket, connectSocket, findEndpoint, isMulticast, sendError } from "./socket.ts";
import { createTally } from "./tally.ts";

/** Options of {@link openSender}. */
export interface SenderOptions {
  /** How long to wait for a receiver that is not there yet, in ms; 0 asks once. @default {10_000} */
  waitMs?: number | undefined;
  /**
   * Does not ask whether anybody is there, as UDP does by itself. Always so for a multicast group and for broadcasts.
   * @default {false}
   */
  blind?: boolean | undefined;
  /** Allows a broadcast address: `udp://192.168.1.255:5005`. @default {false} */
  broadcast?: boolean | undefined;
  /** The own address in a multicast group's network; for IPv6 `::%eth0`. @default the system's choice */
  interface?: string | undefined;
  /** Through how many routers a multicast may go. @default {1} */
  ttl?: number | undefined;
  /** How long a ping may take, in ms. @default {5_000} */
  timeoutMs?: number | undefined;
  /** How long `close()` waits for what the system has not taken yet, in ms. @default {3_000} */
  graceMs?: number | undefined;
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

/** Options of a single ping. */
export interface PingOptions {
  /** Instead of the sender's `timeoutMs`. */
  timeoutMs?: number | undefined;
}

/** Somebody who sends datagrams to one address. */
export interface Sender {
  readonly url: string;
  /** Whether nobody is asked: so wished, or because all of a group or network would answer. */
  readonly blind: boolean;
  /** Whether it was closed. */
  readonly isClosed: boolean;
  /**
   * Sends a message; resolves when the system has taken it, which says nothing about whether it arrives. Waiting for that
   * is all the backpressure there is.
   *
   * @throws {RangeError} `EMSGSIZE`: above 65,489 bytes; nothing was sent.
   * @throws {Error} what the system says, such as `ENETUNREACH`, `EACCES`; `EPIPE` when the sender is closed.
   */
  send(message: Uint8Array): Promise<void>;
  /**
   * Asks the receiver to send a message back.
   *
   * @returns How long that took, in ms.
   * @throws {Error} `ETIMEDOUT` the question or the answer was lost · `ECONNREFUSED` nobody listens there; and as `send()`.
   */
  ping(message?: Uint8Array, options?: PingOptions): Promise<number>;
  /** Lets the system take what is on its way to it. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const SENDER_DEFAULTS = { waitMs: DEFAULT_WAIT_MS, ttl: 1, timeoutMs: 5_000, graceMs: 3_000 } as const;

/**
 * Opens a sender; waits for a receiver that is not there yet.
 *
 * @param url Such as `udp://127.0.0.1:5005`, or that of a group: `udp://239.1.2.3:5005`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED`, `ETIMEDOUT`, …, when nobody answers within `waitMs`.
 */
export async function openSender(url: string, options: SenderOptions = {}): Promise<Sender> {
  const {
    waitMs = SENDER_DEFAULTS.waitMs,
    timeoutMs = SENDER_DEFAULTS.timeoutMs,
    graceMs = SENDER_DEFAULTS.graceMs,
    blind = false,
    broadcast = false,
    signal,
    onEvent,
  } = options;
  checkDurations({ waitMs, timeoutMs, graceMs });
  const endpoint = await findEndpoint(url);
  const socket = await connectSocket(url, endpoint, { ...options, ttl: options.ttl ?? SENDER_DEFAULTS.ttl });
  const stream = randomInt(2 ** 32);
  const pings = createPings(url, socket, stream);
  const unreachable = createTally<void>((count) => tell(onEvent, { type: "unreachable", url, count }));
  let sequence = 0;
  let sending = 0;
  let onSent: (() => void) | undefined;
  let hasAdvised = false;
  let closed: Promise<void> | undefined;

  // Of a datagram sent earlier: nobody was there for it. While a ping waits, it is the ping's answer.
  socket.on("error", (error) => {
    if (!pings.fail(error)) unreachable.add();
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
    const bytes = encodeDatagram({ kind: KIND.message, stream, sequence, sentAtMs: clockMs() }, message);
    sequence = (sequence + 1) >>> 0;
    sending++;
    try {
      if (await isTaken(bytes)) return;
      // The system tells of an earlier datagram that nobody was there for, and has not sent this one.
      unreachable.add();
      await isTaken(bytes);
    } finally {
      if (--sending === 0) onSent?.();
    }
  }

  /** False when the system reports, instead of sending, that nobody was there for an earlier datagram. */
  function isTaken(bytes: Buffer): Promise<boolean> {
    return new Promise((resolve, reject) => {
      socket.send(bytes, (cause: NodeJS.ErrnoException | null) => {
        if (!cause) resolve(true);
        else if (cause.code === "ECONNREFUSED") resolve(false);
        else reject(sendError(url, cause.code ?? "", cause.message, cause));
      });
    });
  }

  // No async function: a promise less a round trip.
  function ping(message: Uint8Array = NO_MESSAGE, { timeoutMs: limitMs = timeoutMs }: PingOptions = {}) {
    try {
      check(message);
    } catch (error) {
      return Promise.reject(error);
    }
    return pings.send(message, limitMs);
  }

  async function closeAll() {
    pings.end(sendError(url, "EPIPE", "the sender is closed"));
    if (sending > 0) {
      await Promise.race([
        new Promise<void>((resolve) => (onSent = resolve)),
        sleep(graceMs, undefined, { ref: false }),
      ]);
    }
    unreachable.end();
    await closeSocket(socket);
  }
  const close = () => (closed ??= closeAll());

  const isBlind = blind || broadcast || isMulticast(endpoint);
  if (!isBlind) {
    try {
      await waitForAnswer();
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** A network that says nothing of a missing receiver is the rule: each try waits longer than the one before. */
  async function waitForAnswer() {
    let limitMs = FIRST_TRY_MS;
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
    const ask = () => {
      const answered = pings.send(NO_MESSAGE, limitMs);
      limitMs = Math.min(limitMs * 2, LONGEST_TRY_MS);
      return answered;
    };
    await retry(ask, { waitMs, signal, onWaiting });
  }
  return {
    url,
    blind: isBlind,
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
const FIRST_TRY_MS = 250;
const LONGEST_TRY_MS = 2_000;
