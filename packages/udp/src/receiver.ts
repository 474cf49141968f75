import type { RemoteInfo } from "node:dgram";
import { checkDurations } from "@ipc/core/durations";
import { tell } from "@ipc/core/tell";
import { clockMs, KIND, messageOf, parseHeader, turnIntoPong } from "./datagram.ts";
import { BIND_DEFAULTS, type BindOptions, listenForDatagrams } from "./listen.ts";
import { MessageQueue } from "./message-queue.ts";
import { closeSocket, hasRoom, peerOf } from "./socket.ts";
import { type Counts, createStreams } from "./streams.ts";
import { createTally } from "./tally.ts";

/** Options of {@link startReceiver}. */
export interface ReceiverOptions extends BindOptions {
  /** Answers no pings. Always so with a `group`: one question would get the answers of all. @default {false} */
  mute?: boolean | undefined;
  /** How many messages may wait to be read; what comes on top is dropped and counted. @default {4_096} */
  maxQueuedMessages?: number | undefined;
  /** How many bytes of them. @default {16_777_216} */
  maxQueuedBytes?: number | undefined;
  /** How many streams are counted apart; above it the one that began first is no longer shown. @default {1_024} */
  maxStreams?: number | undefined;
  /** How long `close()` waits for what is queued to be read, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ReceiverEvent) => void) | undefined;
}

/** What a receiver tells; what may happen a million times, at most once a second, with the peer of the last one. */
export type ReceiverEvent =
  /** Datagrams that are none of ours; messages above what may wait to be read. */
  | { type: "malformed" | "dropped"; peer: string; count: number }
  /** The system reported an error of the socket; it goes on. */
  | { type: "failed"; error: Error };

/** A message that came. */
export interface Message {
  /** Address and port, such as `127.0.0.1:54321`. Anybody can write any address there. */
  peer: string;
  sequence: number;
  message: Uint8Array;
}

/** A receiver that listens. Reading it gives each message once, as they come, until it is closed. */
export interface Receiver extends AsyncIterable<Message> {
  /** Where it listens: `udp://127.0.0.1:5005`. */
  readonly url: string;
  /** The receive buffer that the system gave, in bytes: may be less than was asked for. */
  readonly receiveBufferBytes: number;
  /** All that was counted so far. */
  counts(): Counts;
  /** Takes no more; what is queued may still be read within `graceMs`. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const RECEIVER_DEFAULTS = {
  ...BIND_DEFAULTS,
  maxQueuedMessages: 4_096,
  maxQueuedBytes: 16_777_216,
  maxStreams: 1_024,
  graceMs: 3_000,
} as const;

/**
 * Receives datagrams: counts what the network lost, reordered and doubled, hands the messages on, answers pings.
 *
 * @returns The receiver, listening; `url` tells where. Read it with `for await (const { message, peer } of receiver)`.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen.
 * @throws {RangeError} when a limit or a duration is out of range.
 */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const {
    maxQueuedMessages = RECEIVER_DEFAULTS.maxQueuedMessages,
    maxQueuedBytes = RECEIVER_DEFAULTS.maxQueuedBytes,
    graceMs = RECEIVER_DEFAULTS.graceMs,
    onEvent,
  } = options;
  checkDurations({ graceMs });
  const isMute = options.mute === true || options.group !== undefined;
  const queue = new MessageQueue<Message>(maxQueuedMessages, maxQueuedBytes);
  const streams = createStreams(options.maxStreams ?? RECEIVER_DEFAULTS.maxStreams);
  const malformed = createTally((count, peer: string) => tell(onEvent, { type: "malformed", peer, count }));
  const dropped = createTally((count, peer: string) => tell(onEvent, { type: "dropped", peer, count }));
  let pings = 0;

  function onDatagram(bytes: Buffer, from: RemoteInfo) {
    const header = parseHeader(bytes);
    if (header?.kind === KIND.message) {
      const peer = peerOf(from);
      if (!streams.add(peer, header, clockMs())) return;
      if (!queue.push({ peer, sequence: header.sequence, message: messageOf(bytes) })) dropped.add(peer);
    } else if (header?.kind === KIND.ping) {
      pings++;
      // As many bytes as came, so that nobody gains by asking in another's name; and none where the system has no room.
      if (!isMute && hasRoom(socket)) socket.send(turnIntoPong(bytes), from.port, from.address);
    } else malformed.add(peerOf(from));
  }

  const { socket, url, receiveBufferBytes } = await listenForDatagrams(options, onDatagram);
  socket.on("error", (error) => tell(onEvent, { type: "failed", error }));

  let closed: Promise<void> | undefined;
  async function closeAll() {
    await closeSocket(socket);
    queue.end();
    const timer = setTimeout(() => queue.clear(), graceMs);
    await queue.emptied();
    clearTimeout(timer);
    for (const tally of [malformed, dropped]) tally.end();
  }
  const close = () => (closed ??= closeAll());
  return {
    url,
    receiveBufferBytes,
    counts: () => ({ ...streams.counts(), pings, malformed: malformed.total, dropped: dropped.total }),
    [Symbol.asyncIterator]: () => queue.read(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
