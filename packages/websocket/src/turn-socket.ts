import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { writeFrames } from "./frames.ts";
import { type Protocol, SESSION } from "./protocol.ts";
import { ENVELOPE_BYTES, WELCOME_BYTES } from "./session.ts";

/** 64 KiB: a turn that sends more than this begins while it goes on, so that both sides are at work. */
const EAGER_BYTES = 65_536;

/**
 * A WebSocket of `ws`, at either end, that sends what one turn of the event loop brings in one write: a write a message is
 * the most costly mistake here.
 */
export class TurnSocket extends WebSocket {
  #socket: Socket | undefined;
  #isClient = false;
  #texts: (string | Buffer)[] = [];
  #bytes = 0;

  /** @param socket What it talks over: the handshake hands it out. @param isClient Its frames have to be masked. */
  attach(socket: Socket, isClient: boolean): void {
    this.#socket = socket;
    this.#isClient = isClient;
  }

  /** What it talks over, once it is open. */
  get socket(): Socket | undefined {
    return this.#socket;
  }

  /** Bytes that the system has not taken yet. */
  get waitingBytes(): number {
    return this.#bytes + this.bufferedAmount;
  }

  /** @param text Bytes must not change until they are sent. */
  sendText(text: string | Buffer): void {
    const count = this.#texts.push(text);
    this.#bytes += text.length;
    if (this.#bytes >= EAGER_BYTES) this.flush();
    // nextTick runs after the promise callbacks of this turn: whatever they send is in the same write.
    else if (count === 1) process.nextTick(flush, this);
  }

  /** Sends what this turn has brought so far. */
  flush(): void {
    const socket = this.#socket;
    const texts = this.#texts;
    if (texts.length === 0) return;
    this.#texts = [];
    this.#bytes = 0;
    // Behind a close frame nothing may follow (RFC 6455 section 5.5.1).
    if (!socket || this.readyState !== WebSocket.OPEN) return;
    socket.write(writeFrames(texts, this.#isClient, takeSpare));
    // A socket that has passed all of it to the system does not look at it again; another keeps it.
    if (socket.writableLength > 0) spare = undefined;
  }

  /** `ws` calls it as well, to answer a close frame: replies to what came before that go out first. */
  override close(code?: number, reason?: string | Buffer): void {
    this.flush();
    super.close(code, reason);
  }
}

function flush(socket: TurnSocket) {
  socket.flush();
}

/** Memory for one write at a time: fresh memory for each would keep the garbage collector busy. */
let spare: Buffer | undefined;

function takeSpare(bytes: number): Buffer {
  // Below this the pool of Buffer is as quick.
  if (bytes < 4_096 || bytes > SPARE_BYTES) return Buffer.allocUnsafe(bytes);
  spare ??= Buffer.allocUnsafeSlow(SPARE_BYTES);
  return spare.subarray(0, bytes);
}

const SPARE_BYTES = 2 * EAGER_BYTES;

/** What `ws` is told at both ends. A session's frames are longer than its messages, and a welcome is one of its own. */
export function limitsOf(
  { maxPayload, maxFragments, graceMs }: { maxPayload: number; maxFragments: number; graceMs: number },
  protocol: Protocol,
) {
  return {
    maxPayload: protocol === SESSION ? Math.max(maxPayload + ENVELOPE_BYTES, WELCOME_BYTES) : maxPayload,
    maxFragments,
    closeTimeout: graceMs,
    perMessageDeflate: false,
  };
}
