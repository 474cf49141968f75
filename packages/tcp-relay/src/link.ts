import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { lengthFraming } from "@ipc/core/framing";
import { readFrames } from "@ipc/core/read-frames";
import { connectTcp, endSocket } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { parseAddress } from "@ipc/core/url";
import { whenAborted } from "@ipc/core/when-aborted";
import { createFrameWriter, type FrameWriter } from "@ipc/core/write-frames";
import { keepAlive } from "./heartbeat.ts";
import { checkDenial, encodeHello, isDenial } from "./hello.ts";
import type { Limits } from "./peer-options.ts";
import { HEARTBEAT, type Message, parseReply } from "./protocol.ts";

/** A message for the next peer, and whom to tell what became of it. */
export interface Parcel {
  /** As it goes over the wire. */
  readonly frame: Uint8Array;
  /** It has been delivered, at the next peer or further on. */
  accepted(): void;
  /** It never will be. */
  refused(reason: string): void;
  /** The link was closed: nobody knows. */
  abandoned?(): void;
}

/** What a link tells. */
export type LinkEvent =
  /**
   * Nobody is there, or nobody who speaks as a peer does, or the token is wrong. Said once, and not while nothing is to
   * be sent again. When a promised `next` came to nothing (`url` may be empty), only once something is to be sent.
   */
  | { type: "waiting"; url: string; error: Error }
  /** @property wasWaitedFor Whether "waiting" was told before. */
  | { type: "connected"; url: string; wasWaitedFor: boolean }
  /** @property unanswered How many messages are to be sent again. */
  | { type: "disconnected"; url: string; error: Error; unanswered: number }
  /** A message of our own is on its way, or in line to be. */
  | { type: "sent"; message: Message };

/**
 * The way to the next peer. What is sent stays with it until it has an answer, over as many connections as that takes.
 */
export interface Link {
  readonly isConnected: boolean;
  /** Sends now, or when there is a connection; again on each new connection until there is an answer. */
  send(parcel: Parcel): void;
  /** Ends the connection and abandons what has no answer. */
  close(): Promise<void>;
}

/** @param next Where the next peer listens; a promise where that is not known yet. */
export function createLink(
  next: string | Promise<string>,
  { heartbeatMs, token }: Pick<Limits, "heartbeatMs" | "token">,
  onEvent: ((event: LinkEvent) => void) | undefined,
): Link {
  const closing = new AbortController();
  const { signal } = closing;
  let url = "";
  /** By their number on the connection. */
  let parcels = new Map<number, Parcel>();
  let lastNumber = 0;
  let open: { socket: Socket; writer: FrameWriter } | undefined;
  /** Why there is no connection. */
  let failure: Error | undefined;
  let hasToldWaiting = false;
  let hasBeenThere = false;
  let pauseMs = FIRST_PAUSE_MS;

  function send(parcel: Parcel) {
    if (++lastNumber % RENEW_AFTER === 0) parcels = new Map(parcels);
    parcels.set(lastNumber, parcel);
    // As Nagle does (RFC 896): what finds nothing on its way goes at once, the rest waits for company.
    if (open?.socket.writable) open.writer.write(parcel.frame, parcels.size === 1);
    else sayWaiting();
  }

  async function run() {
    await findNext();
    while (!signal.aborted) {
      lose(await talk().catch((reason: Error) => reason));
      // By chance, so that those who lost the same peer do not all come back at the same moment.
      await sleep(Math.random() * pauseMs, undefined, { signal }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  async function findNext() {
    const closed = new Promise<string>((resolve) => whenAborted(signal, () => resolve("")));
    try {
      url = (await Promise.race([next, closed])).trim();
      if (!signal.aborted) parseAddress(url, "tcp");
    } catch (error) {
      // To try again would not help: messages stay with who sent them, and are told so.
      failure = error as Error;
      if (parcels.size > 0) sayWaiting();
      await closed;
    }
  }

  function lose(error: Error) {
    if (signal.aborted) return;
    // Who waits for anybody learns that somebody is there and wants a token.
    if (isDenial(error) && !isDenial(failure)) hasToldWaiting = false;
    failure = error;
    if (open) tell(onEvent, { type: "disconnected", url, error, unanswered: parcels.size });
    else sayWaiting();
    open = undefined;
  }

  /** One connection, from its beginning to its end. */
  async function talk(): Promise<Error> {
    const socket = await connectTcp(url, { waitMs: 0, signal });
    // Messages have been measured when they came to be.
    const writer = createFrameWriter(socket, lengthFraming, { maxFrameBytes: 0xffff_ffff });
    if (token !== undefined) writer.write(encodeHello(token));
    keepAlive(socket, writer, heartbeatMs, false);
    try {
      for await (const frames of readFrames(socket, lengthFraming.createDecoder(), { signal })) {
        // Only who says that it is a peer is sent messages.
        if (!open) {
          checkDenial(frames[0], url);
          begin(socket, writer);
        }
        for (const frame of frames) settle(frame);
      }
      return new Error("the peer closed the connection");
    } finally {
      // Who is still owed answers does not get them by waiting for the end of the connection.
      if (signal.aborted && parcels.size === 0) await endSocket(socket);
      else socket.destroy();
    }
  }

  function begin(socket: Socket, writer: FrameWriter) {
    open = { socket, writer };
    tell(onEvent, { type: "connected", url, wasWaitedFor: hasToldWaiting });
    hasToldWaiting = false;
    hasBeenThere = true;
    failure = undefined;
    const again = parcels;
    parcels = new Map();
    lastNumber = 0;
    for (const parcel of again.values()) send(parcel);
  }

  function settle(frame: Uint8Array) {
    if (frame.length === HEARTBEAT.length) return;
    const reply = parseReply(frame);
    // An answer: this is a peer that works, and worth being back with soon.
    pauseMs = FIRST_PAUSE_MS;
    if ("refused" in reply) return take(reply.refused).refused(reply.reason);
    const [first, last] = reply.accepted;
    for (let number = first; number <= last; number++) take(number).accepted();
  }

  function take(number: number): Parcel {
    const parcel = parcels.get(number);
    if (!parcel) throw new Error(`message ${number} was answered, which has an answer or was never sent`);
    parcels.delete(number);
    return parcel;
  }

  function sayWaiting() {
    // A peer that was there and went is no news while nothing is to be sent.
    if (!failure || hasToldWaiting || (hasBeenThere && parcels.size === 0)) return;
    hasToldWaiting = true;
    tell(onEvent, { type: "waiting", url, error: failure });
  }

  const running = run();
  return {
    get isConnected() {
      return open?.socket.writable === true;
    },
    send,
    async close() {
      closing.abort();
      await running;
      for (const parcel of parcels.values()) parcel.abandoned?.();
    },
  };
}

/** The first pause is up to 50 ms, then up to twice as long each time, up to 1 s. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/**
 * A Map through which much passes makes one table after the other, and each that it has left keeps alive what was in it
 * and the next table, where the garbage collector seldom looks: that took 40 % of a sender's time. So it is made anew
 * after so many: some windows of small messages, of which little is left to copy.
 */
export const RENEW_AFTER = 10_000;
