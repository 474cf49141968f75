import type { RemoteInfo } from "node:dgram";
import { checkDurations } from "@ipc/core/durations";
import { tell } from "@ipc/core/tell";
import { checkMessage } from "../datagram.ts";
import { listenForDatagrams } from "../listen.ts";
import { closeSocket, hasRoom, peerOf } from "../socket.ts";
import { createTally } from "../tally.ts";
import { encodePacket, PACKET, PACKET_HEADER_BYTES, type Packet, type PacketKind, parsePacket } from "./packet.ts";
import { SERVER_DEFAULTS, type Server, type ServerOptions } from "./server-options.ts";
import { type Execution, Session } from "./session.ts";
import { createTokens } from "./tokens.ts";

/**
 * Answers every request exactly once, over a network that loses, reorders and doubles datagrams.
 *
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const {
    handler = (message: Uint8Array) => message,
    maxSessions = SERVER_DEFAULTS.maxSessions,
    maxHeldBytes = SERVER_DEFAULTS.maxHeldBytes,
    graceMs = SERVER_DEFAULTS.graceMs,
    onEvent,
  } = options;
  checkDurations({ graceMs });
  const tokens = createTokens();
  const sessions = new Map<string, Session>();
  const counts = { executed: 0, doubled: 0 };
  const malformed = createTally((count, peer: string) => tell(onEvent, { type: "malformed", peer, count }));
  const dropped = createTally((count, peer: string) => tell(onEvent, { type: "dropped", peer, count }));
  const connected = createTally((count, peer: string) => tell(onEvent, { type: "connected", peer, count }));
  let heldBytes = 0;
  let running = 0;
  let onProgress: (() => void) | undefined;
  let closed: Promise<void> | undefined;

  function onDatagram(bytes: Buffer, from: RemoteInfo) {
    const packet = parsePacket(bytes);
    if (packet?.kind === PACKET.request || packet?.kind === PACKET.done) findSession(packet, from);
    else if (packet?.kind === PACKET.hello) welcome(packet, from);
    else malformed.add(peerOf(from));
  }

  function welcome({ number }: Packet, from: RemoteInfo) {
    if (closed === undefined) send(encodePacket(PACKET.welcome, number, 0, tokens.issue(peerOf(from), number)), from);
  }

  function findSession(packet: Packet, from: RemoteInfo) {
    const peer = peerOf(from);
    const session = sessions.get(peer);
    if (session?.knows(packet)) take(session, packet, from);
    else if (session?.isBefore(packet) !== false && tokens.isFresh(peer, packet)) begin(packet, from);
    else send(encodePacket(PACKET.unknown, packet.number, 0, packet), from);
  }

  function begin(packet: Packet, from: RemoteInfo) {
    const peer = peerOf(from);
    forget(peer);
    const [longestSilent] = sessions.size >= maxSessions ? sessions : [];
    // It sends again, and there may be room then.
    if (longestSilent?.[1].isForgettable === false) return dropped.add(peer);
    if (longestSilent) forget(longestSilent[0]);
    connected.add(peer);
    take(new Session(packet), packet, from);
  }

  function forget(peer: string) {
    free(sessions.get(peer)?.clear() ?? 0);
    sessions.delete(peer);
  }

  function take(session: Session, packet: Packet, from: RemoteInfo) {
    const peer = peerOf(from);
    // Last in the map: the first is the one that was silent for longest.
    sessions.delete(peer);
    sessions.set(peer, session);
    free(session.finish(packet.number - packet.unfinished));
    if (packet.kind === PACKET.done) return;
    const known = session.executions.get(packet.number);
    if (known || packet.number < session.floor) {
      counts.doubled++;
      if (known?.answer) send(known.answer, from);
      return;
    }
    const bytes = packet.message.length + EXECUTION_BYTES;
    // The one that the client has waited for longest always gets in: the replies behind it cannot be let go of before.
    const isAdmitted = heldBytes + bytes <= maxHeldBytes || packet.number === session.floor;
    if (closed !== undefined || !isAdmitted) return dropped.add(peer);
    const execution: Execution = { session, number: packet.number, from, bytes, answer: undefined };
    session.executions.set(packet.number, execution);
    heldBytes += bytes;
    execute(execution, packet.message);
  }

  function execute(execution: Execution, message: Uint8Array) {
    counts.executed++;
    try {
      const reply = handler(message, peerOf(execution.from));
      if (reply instanceof Uint8Array) answer(execution, PACKET.reply, reply);
      else void finish(execution, reply);
    } catch (error) {
      fail(execution, error);
    }
  }

  async function finish(execution: Execution, reply: Promise<Uint8Array>) {
    running++;
    try {
      answer(execution, PACKET.reply, await reply);
    } catch (error) {
      fail(execution, error);
    } finally {
      running--;
      onProgress?.();
    }
  }

  function fail(execution: Execution, error: unknown) {
    answer(execution, PACKET.failed, NO_MESSAGE);
    tell(onEvent, { type: "failed", peer: peerOf(execution.from), error: error as Error });
  }

  function answer(execution: Execution, kind: PacketKind, message: Uint8Array) {
    checkMessage(message, PACKET_HEADER_BYTES);
    const { session, number, from } = execution;
    // The client may have given up meanwhile.
    if (session.executions.get(number) !== execution) return;
    execution.answer = encodePacket(kind, number, 0, session.token, message);
    execution.bytes += message.length;
    heldBytes += message.length;
    send(execution.answer, from);
  }

  function send(bytes: Buffer, { port, address }: RemoteInfo) {
    if (hasRoom(socket)) socket.send(bytes, port, address);
  }

  function free(bytes: number) {
    heldBytes -= bytes;
    if (bytes > 0) onProgress?.();
  }

  const { socket, url } = await listenForDatagrams(options, onDatagram);
  socket.on("error", (error) => tell(onEvent, { type: "failed", error }));

  /** Resolves when `isDone`, at the latest after `ms`. */
  function wait(isDone: () => boolean, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      onProgress = () => {
        if (!isDone()) return;
        clearTimeout(timer);
        resolve();
      };
      onProgress();
    });
  }

  async function closeAll() {
    await wait(() => running === 0, graceMs);
    // An answer that was lost is asked for again: soon, or by a client that is gone never.
    await wait(() => heldBytes === 0, Math.min(graceMs, FETCH_MS));
    await closeSocket(socket);
    for (const tally of [malformed, dropped, connected]) tally.end();
  }
  const close = () => (closed ??= closeAll());
  return {
    url,
    counts: () => ({ ...counts, malformed: malformed.total, dropped: dropped.total, sessions: sessions.size }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const NO_MESSAGE = new Uint8Array(0);

/** About what a request takes beside its message. */
const EXECUTION_BYTES = 512;

/** 500 ms: some retries of a client. */
const FETCH_MS = 500;
