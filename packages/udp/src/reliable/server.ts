import type { RemoteInfo } from "node:dgram";
import { setTimeout as sleep } from "node:timers/promises";
import { checkDurations } from "@ipc/core/durations";
import { tell } from "@ipc/core/tell";
import { checkMessage } from "../datagram.ts";
import { closeSocket, hasRoom, listenForDatagrams, peerOf } from "../socket.ts";
import { Tally } from "../tally.ts";
import { encodePacket, PACKET, PACKET_HEADER_BYTES, type Packet, parsePacket } from "./packet.ts";
import type { Server, ServerOptions } from "./server-options.ts";
import { TOKEN_LIFETIME_MS, Tokens } from "./tokens.ts";

/**
 * Answers every request exactly once, over a network that loses, reorders and doubles datagrams.
 *
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const { handler = (message: Uint8Array) => message, graceMs = 3_000, onEvent } = options;
  const { maxSessions = 1_000, maxHeldBytes = 67_108_864 } = options;
  checkDurations({ graceMs });
  const tokens = new Tokens();
  /** By address and token; the first is the one that was silent for longest. */
  const sessions = new Map<string, Session>();
  const malformed = new Tally((count, peer) => tell(onEvent, { type: "malformed", peer, count }));
  const dropped = new Tally((count, peer) => tell(onEvent, { type: "dropped", peer, count }));
  const counts = { executed: 0, doubled: 0 };
  let running = 0;
  let heldBytes = 0;
  let onProgress: (() => void) | undefined;
  let closed: Promise<void> | undefined;

  function onDatagram(bytes: Buffer, from: RemoteInfo) {
    const packet = parsePacket(bytes);
    const peer = peerOf(from);
    if (packet?.kind === PACKET.hello) welcome(packet, from, peer);
    else if (packet?.kind === PACKET.request || packet?.kind === PACKET.done) find(packet, from, peer);
    else malformed.add(peer);
  }

  function welcome({ number, token }: Packet, from: RemoteInfo, peer: string) {
    if (closed !== undefined) return;
    const key = `${peer} ${token}`;
    const isFresh = !sessions.has(key) && tokens.isFresh(token, peer);
    // It asks again, and there may be room then.
    if (isFresh && !makeRoom()) return dropped.add(peer);
    if (isFresh) {
      sessions.set(key, { peer, from, token, begunAt: performance.now(), executions: new Map(), floor: 1 });
      tell(onEvent, { type: "connected", peer });
    }
    const known = sessions.has(key) ? token : tokens.issue(peer);
    send(encodePacket(PACKET.welcome, number, 0, known), from);
  }

  /** Forgets who was silent for longest. Not as long as its token could begin it anew, and have things done twice. */
  function makeRoom(): boolean {
    const [silent] = sessions.size >= maxSessions ? sessions : [];
    if (!silent) return true;
    const [key, session] = silent;
    if (performance.now() - session.begunAt <= TOKEN_LIFETIME_MS) return false;
    sessions.delete(key);
    finish(session, Number.POSITIVE_INFINITY);
    return true;
  }

  function find(packet: Packet, from: RemoteInfo, peer: string) {
    const key = `${peer} ${packet.token}`;
    const session = sessions.get(key);
    if (!session) return send(encodePacket(PACKET.unknown, packet.number, 0, packet.token), from);
    sessions.delete(key);
    sessions.set(key, session);
    finish(session, packet.first);
    if (packet.kind === PACKET.request) take(session, packet);
  }

  /** Forgets what the client has the answers of. */
  function finish(session: Session, first: number) {
    if (first <= session.floor) return;
    session.floor = first;
    for (const [number, { bytes }] of session.executions) {
      if (number >= first) continue;
      session.executions.delete(number);
      heldBytes -= bytes;
    }
    onProgress?.();
  }

  function take(session: Session, { number, message }: Packet) {
    const known = session.executions.get(number);
    if (known || number < session.floor) {
      counts.doubled++;
      if (known?.answer) send(known.answer, session.from);
      return;
    }
    const bytes = message.length + EXECUTION_BYTES;
    // The one that the client has waited for longest always gets in: the replies behind it cannot be let go of before.
    const isAdmitted = heldBytes + bytes <= maxHeldBytes || number === session.floor;
    if (closed !== undefined || !isAdmitted) return dropped.add(session.peer);
    const execution: Execution = { number, bytes, answer: undefined };
    session.executions.set(number, execution);
    heldBytes += bytes;
    void execute(session, execution, message);
  }

  async function execute(session: Session, execution: Execution, message: Uint8Array) {
    counts.executed++;
    running++;
    try {
      answer(session, execution, PACKET.reply, await handler(message, session.peer));
    } catch (error) {
      answer(session, execution, PACKET.failed, NO_MESSAGE);
      tell(onEvent, { type: "failed", peer: session.peer, error: error as Error });
    }
    running--;
    onProgress?.();
  }

  function answer(session: Session, execution: Execution, kind: number, message: Uint8Array) {
    checkMessage(message, PACKET_HEADER_BYTES);
    // The client may have given up meanwhile.
    if (session.executions.get(execution.number) !== execution) return;
    execution.answer = encodePacket(kind, execution.number, 0, session.token, message);
    execution.bytes += message.length;
    heldBytes += message.length;
    send(execution.answer, session.from);
  }

  function send(bytes: Buffer, { port, address }: RemoteInfo) {
    if (hasRoom(socket)) socket.send(bytes, port, address);
  }

  const { socket, url } = await listenForDatagrams(options, onDatagram);
  socket.on("error", (error) => tell(onEvent, { type: "failed", error }));

  /** Resolves when `isDone`, at the latest after `ms`. */
  async function wait(isDone: () => boolean, ms: number) {
    const isOver = sleep(ms, true, { ref: false });
    while (!isDone()) {
      const progress = new Promise<void>((resolve) => (onProgress = resolve));
      if (await Promise.race([progress, isOver])) return;
    }
  }

  async function closeAll() {
    await wait(() => running === 0, graceMs);
    // An answer that was lost is asked for again: soon, or by a client that is gone never.
    await wait(() => heldBytes === 0, Math.min(graceMs, FETCH_MS));
    await closeSocket(socket);
    for (const tally of [malformed, dropped]) tally.end();
  }
  const close = () => (closed ??= closeAll());
  return {
    url,
    counts: () => ({ ...counts, malformed: malformed.total, dropped: dropped.total, sessions: sessions.size }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What the server knows of one client: what it has done for it, for as long as the client may ask for it again. */
interface Session {
  readonly peer: string;
  readonly from: RemoteInfo;
  readonly token: string;
  readonly begunAt: number;
  /** By number. */
  readonly executions: Map<number, Execution>;
  /** The client waits for none below it: what still comes of those are copies. */
  floor: number;
}

/** A request that was taken. */
interface Execution {
  readonly number: number;
  /** What it holds. */
  bytes: number;
  /** Once there is one. */
  answer: Buffer | undefined;
}

const NO_MESSAGE = new Uint8Array(0);

/** About what a request takes beside its message. */
const EXECUTION_BYTES = 512;

/** 500 ms: some retries of a client. */
const FETCH_MS = 500;
