import type { RemoteInfo } from "node:dgram";
import { ReadableStream, type ReadableStreamDefaultController } from "node:stream/web";
import { tell } from "@ipc/core/tell";
import { clockMs, HEADER_BYTES, KIND, parseHeader } from "./datagram.ts";
import { BIND_DEFAULTS, type BindOptions, closeSocket, hasRoom, listenForDatagrams, peerOf } from "./socket.ts";
import { type Counts, Statistics, type StreamCounts } from "./statistics.ts";
import { Tally } from "./tally.ts";

/** Options of {@link startReceiver}. */
export interface ReceiverOptions extends BindOptions {
  /** Answers no pings. Always so with a `group`: one question would get the answers of all. @default {false} */
  mute?: boolean | undefined;
  /**
   * How much may wait to be read, in bytes: a message counts as its length and 1,024. What comes on top is dropped and
   * counted.
   * @default {8_388_608}
   */
  maxQueuedBytes?: number | undefined;
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

/** A receiver that listens. A loop over it, one at a time, gets each message once, as they come, until it is closed. */
export interface Receiver extends AsyncIterable<Message> {
  /** Where it listens: `udp://127.0.0.1:5005`. */
  readonly url: string;
  /** The receive buffer that the system gave, in bytes: may be less than was asked for. */
  readonly receiveBufferBytes: number;
  /** All that was counted so far; `pings` answered or not, `dropped` ones are among the received. */
  counts(): Counts & { pings: number; malformed: number; dropped: number; streams: StreamCounts[] };
  /** Takes no more; what is queued can still be read. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const RECEIVER_DEFAULTS = { ...BIND_DEFAULTS, maxQueuedBytes: 8_388_608 } as const;

/**
 * Receives datagrams: counts what the network lost, reordered and doubled, hands the messages on, answers pings.
 *
 * @returns The receiver, listening; `url` tells where. Read it with `for await (const { message, peer } of receiver)`.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen.
 */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { mute = false, group, maxQueuedBytes = RECEIVER_DEFAULTS.maxQueuedBytes, onEvent } = options;
  const isMute = mute || group !== undefined;
  let queue: ReadableStreamDefaultController<Message> | undefined;
  const messages = new ReadableStream<Message>(
    {
      start(controller) {
        queue = controller;
      },
    },
    { highWaterMark: maxQueuedBytes, size: ({ message }) => message.length + 1_024 },
  );
  const statistics = new Statistics();
  const malformed = new Tally((count, peer) => tell(onEvent, { type: "malformed", peer, count }));
  const dropped = new Tally((count, peer) => tell(onEvent, { type: "dropped", peer, count }));
  let pings = 0;

  function onDatagram(bytes: Buffer, from: RemoteInfo) {
    const header = parseHeader(bytes);
    if (header?.kind === KIND.message) {
      const peer = peerOf(from);
      if (!statistics.add(peer, header, clockMs())) return;
      const hasPlace = (queue?.desiredSize ?? 0) > 0;
      if (hasPlace) queue?.enqueue({ peer, sequence: header.sequence, message: bytes.subarray(HEADER_BYTES) });
      else dropped.add(peer);
    } else if (header?.kind === KIND.ping) {
      pings++;
      if (isMute || !hasRoom(socket)) return;
      // The same bytes but for the kind: nobody gains by asking in another's name.
      bytes[1] = KIND.pong;
      socket.send(bytes, from.port, from.address);
    } else malformed.add(peerOf(from));
  }

  const { socket, url, receiveBufferBytes } = await listenForDatagrams(options, onDatagram);
  socket.on("error", (error) => tell(onEvent, { type: "failed", error }));

  let closed: Promise<void> | undefined;
  async function closeAll() {
    await closeSocket(socket);
    queue?.close();
    for (const tally of [malformed, dropped]) tally.end();
  }
  const close = () => (closed ??= closeAll());
  return {
    url,
    receiveBufferBytes,
    counts: () => ({ ...statistics.counts(), pings, malformed: malformed.total, dropped: dropped.total }),
    [Symbol.asyncIterator]: () => messages.values({ preventCancel: true }),
    close,
    [Symbol.asyncDispose]: close,
  };
}
