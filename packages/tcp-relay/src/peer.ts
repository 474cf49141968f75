import type { Socket } from "node:net";
import { lengthFraming } from "@ipc/core/framing";
import { readFrames } from "@ipc/core/read-frames";
import { startTcpServer } from "@ipc/core/tcp-server";
import { tell } from "@ipc/core/tell";
import { openDeliveryLog } from "./delivery-log.ts";
import { Doubles } from "./doubles.ts";
import { type Held, Holding } from "./holding.ts";
import { createLink } from "./link.ts";
import { createOutbox } from "./outbox.ts";
import { checkPeerOptions, type Peer, type PeerOptions } from "./peer-options.ts";
import { encodeNextHop, HEARTBEAT, MAX_HOPS, type Message, parseMessage } from "./protocol.ts";
import { Replies } from "./replies.ts";

/**
 * Passes on to `next` what others sent; delivers, without passing it on, what it sent itself. Without a `next` it is
 * the end of the line and delivers everything. A message is answered when it has been delivered, here or further on:
 * until then whoever sent it keeps it.
 *
 * @returns The peer, listening; the next one may come later, and go and come back.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen; what the file system says of `logFile`.
 * @throws {TypeError} `ERR_INVALID_URL` for `next`.
 * @throws {RangeError} when a limit, a duration, the port or the name is out of range.
 */
export async function startPeer(options: PeerOptions = {}): Promise<Peer> {
  const { next, logFile, onMessage, onEvent } = options;
  const { name, maxFrameBytes, windowBytes, maxIds, heartbeatMs, graceMs } = checkPeerOptions(options);
  const delivered = new Doubles(maxIds);
  const holding = new Holding(MAX_HOPS * windowBytes, delivered);
  const log = logFile === undefined ? undefined : await openDeliveryLog(logFile, delivered);

  async function serve(socket: Socket, signal: AbortSignal) {
    const replies = new Replies(socket, heartbeatMs);
    const decoder = lengthFraming.createDecoder({ maxFrameBytes });
    try {
      for await (const frames of readFrames(socket, decoder, { frameTimeoutMs: FRAME_TIMEOUT_MS, signal })) {
        for (const frame of frames) take(frame, replies);
        // The queue is full, or its answers are not taken: a sender is not read from until that is over.
        await (holding.isFull ? holding.room() : replies.drained());
      }
    } finally {
      if (decoder.error) replies.refuse(replies.next(), decoder.error.message);
    }
    await replies.settled();
  }

  function take(frame: Uint8Array, replies: Replies) {
    if (frame.length === HEARTBEAT.length) return;
    const number = replies.next();
    try {
      const message = parseMessage(frame);
      const held = holding.take(message, frame.length, replies, number);
      if (held) void handle(message, frame, held);
      else tell(onEvent, { type: "double", message });
    } catch (error) {
      const { message: reason } = error as Error;
      replies.refuse(number, reason);
      tell(onEvent, { type: "rejected", peer: replies.peer, reason });
    }
  }

  async function handle(message: Message, frame: Uint8Array, held: Held) {
    try {
      if (link && message.origin !== name) {
        held.frame = encodeNextHop(frame, message, maxFrameBytes);
        link.send(held);
        return tell(onEvent, { type: "passed", message });
      }
      const handled = onMessage?.(message);
      // To wait for nothing would cost a tenth of a small message.
      if (handled) await handled;
      delivered.add(held.key);
      if (log) await log.append(held.key);
      tell(onEvent, { type: "delivered", message });
      held.accepted();
    } catch (error) {
      const { message: reason } = error as Error;
      held.refused(reason);
      tell(onEvent, { type: "rejected", peer: held.peer, reason });
    }
  }

  // Twice half the grace: first our own messages come home, then what we took from others is answered.
  const server = await startTcpServer({ ...options, graceMs: graceMs / 2 }, serve).catch(async (error) => {
    await log?.close();
    throw error;
  });
  const link = next === undefined ? undefined : createLink(next, { heartbeatMs, onEvent });
  const outbox = link && createOutbox(link, { name, windowBytes, maxFrameBytes, onEvent });

  let closing: Promise<void> | undefined;
  async function closeAll() {
    await outbox?.close(graceMs / 2);
    await server.close();
    await link?.close();
    await log?.close();
  }
  const close = () => {
    closing ??= closeAll();
    return closing;
  };

  return {
    url: server.url,
    send: outbox?.send ?? (() => Promise.reject(endError(name))),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** 10 s: what has begun must be whole within this time. */
const FRAME_TIMEOUT_MS = 10_000;

function endError(name: string): Error {
  return Object.assign(new Error(`Cannot send message: ${name} has no next peer`), { code: "ENOTCONN" });
}
