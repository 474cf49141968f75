import type { Socket } from "node:net";
import { lengthFraming } from "@ipc/core/framing";
import { readFrames } from "@ipc/core/read-frames";
import { startTcpServer } from "@ipc/core/tcp-server";
import { tell } from "@ipc/core/tell";
import { Delivered, openDeliveryLog } from "./delivered.ts";
import { admitting, isHello } from "./hello.ts";
import { type Held, Holding } from "./holding.ts";
import { createLink, type Link } from "./link.ts";
import { createOutbox } from "./outbox.ts";
import { checkLimits, type Peer, type PeerOptions } from "./peer-options.ts";
import { type Envelope, HEARTBEAT, MAX_HOPS, type Message, nextHop, readEnvelope, reasonOf } from "./protocol.ts";
import { Replies } from "./replies.ts";

/**
 * Passes on to `next` what others sent; delivers, without passing it on, what it sent itself. Without a `next` it is
 * the end of the line and delivers everything. A message is answered when it has been delivered, here or further on:
 * until then whoever sent it keeps it.
 *
 * @returns The peer, listening; the next one may come later, and go and come back.
 * @throws {Error} `EADDRINUSE` and its like; `ERR_NO_TOKEN`; what `logFile` fails with, `ERR_NO_DELIVERY_LOG`.
 * @throws {TypeError} `ERR_INVALID_URL` for `next`.
 * @throws {RangeError} when a limit, a duration, the port or the name is out of range.
 */
export async function startPeer(options: PeerOptions = {}): Promise<Peer> {
  const { next, logFile, onMessage, onEvent } = options;
  const limits = checkLimits(options);
  const { name, token, maxFrameBytes, heartbeatMs, graceMs } = limits;
  const delivered = new Delivered(limits.maxIds);
  const holding = new Holding(MAX_HOPS * limits.windowBytes, delivered);
  const log = logFile === undefined ? undefined : await openDeliveryLog(logFile, delivered);

  async function serve(socket: Socket, signal: AbortSignal) {
    const replies = new Replies(socket, heartbeatMs);
    const decoder = lengthFraming.createDecoder({ maxFrameBytes });
    try {
      for await (const frames of readFrames(socket, decoder, { frameTimeoutMs: 10_000, signal })) {
        for (const frame of frames) take(frame, replies);
        // The queue is full, or its answers are not taken: a sender is not read from until that is over.
        await (holding.isFull ? holding.room(socket) : replies.drained());
      }
    } finally {
      if (decoder.error) replies.refuse(replies.next(), decoder.error.message);
    }
    await replies.settled();
  }

  function take(frame: Uint8Array, replies: Replies) {
    if (frame.length === HEARTBEAT.length || isHello(frame)) return;
    const number = replies.next();
    try {
      const envelope = readEnvelope(frame);
      // Who shows all messages reads them now, so that a bad one is refused here; who only passes them on does not.
      if (onEvent) void envelope.message;
      if (holding.knows(envelope, replies, number)) show("double", envelope);
      else if (link && envelope.origin !== name) pass(envelope, replies, number, link);
      else deliver(envelope, replies, number);
    } catch (error) {
      const reason = reasonOf(error);
      replies.refuse(number, reason);
      tell(onEvent, { type: "rejected", peer: replies.peer, reason });
    }
  }

  function pass(envelope: Envelope, replies: Replies, number: number, to: Link) {
    to.send(holding.take(envelope, replies, number, nextHop(envelope, maxFrameBytes)));
    show("passed", envelope);
  }

  function deliver(envelope: Envelope, replies: Replies, number: number) {
    const { message, key } = envelope;
    const handled = onMessage?.(message);
    if (handled || log) return void finish(holding.take(envelope, replies, number), message, handled);
    delivered.add(key);
    tell(onEvent, { type: "delivered", message });
    replies.accept(number);
  }

  async function finish(held: Held, message: Message, handled: void | Promise<void>) {
    try {
      await handled;
      delivered.add(held.key);
      await log?.append(held.key);
      tell(onEvent, { type: "delivered", message });
      held.accepted();
    } catch (error) {
      const reason = reasonOf(error);
      held.refused(reason);
      tell(onEvent, { type: "rejected", peer: held.replies.peer, reason });
    }
  }

  function show(type: "double" | "passed", envelope: Envelope) {
    if (onEvent) tell(onEvent, { type, message: envelope.message });
  }

  // Twice half the grace: first our own messages come home, then what we took from others is answered.
  const serverOptions = { ...options, graceMs: graceMs / 2 };
  const server = await startTcpServer(serverOptions, admitting(token, serve)).catch(async (error) => {
    await log?.close();
    throw error;
  });
  const link = next === undefined ? undefined : createLink(next, limits, onEvent);
  const outbox = link && createOutbox(link, limits, onEvent);

  let closing: Promise<void> | undefined;
  async function closeAll() {
    await outbox?.close(graceMs / 2);
    await server.close();
    await link?.close();
    await log?.close();
  }
  const close = () => (closing ??= closeAll());
  const send = outbox?.send ?? (() => Promise.reject(noNext(name)));
  return { url: server.url, send, close, [Symbol.asyncDispose]: close };
}

function noNext(name: string): Error {
  return Object.assign(new Error(`Cannot send message: ${name} has no next peer`), { code: "ENOTCONN" });
}
