import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { CLOSE, type Ending, MalformedError, parseMessage } from "./protocol.ts";
import type { TurnSocket } from "./turn-socket.ts";

/** What all connections of one end have in common. */
export interface ConnectionSettings {
  /** A peer for whom more than this waits is not read from until it has taken it. */
  pauseAtBytes: number;
  /** A peer for whom more than this waits is dropped. */
  maxBufferedBytes: number;
  heartbeatMs: number;
  /** More than `pauseAtBytes` wait. */
  onPaused?(connection: Connection, bufferedBytes: number): void;
  onEnd(connection: Connection, ending: Ending): void;
}

/** Who speaks on a connection. */
export interface Speaker {
  /** @param data As it came, for whoever passes it on. What this throws closes the connection. */
  onMessage(message: unknown, data: Buffer): void;
  onEnd(ending: Ending): void;
  /** Takes the place of a ping frame. */
  ping?(): void;
  /** Resolves when all that has come is handled. */
  done?(): Promise<void>;
}

/** 64 KiB: with less than this on its way nobody is slow. */
const CALM_BYTES = 65_536;

/**
 * One WebSocket that speaks JSON, at either end. What the peer does not take is bounded; a peer that has stalled is found
 * out; what it must not send ends the connection with a code that says why.
 */
export class Connection {
  /** Address and port of the peer: `127.0.0.1:51724`. */
  readonly name: string;
  speaker: Speaker | undefined;
  readonly #ws: TurnSocket;
  readonly #settings: ConnectionSettings;
  readonly #beating: NodeJS.Timeout | undefined;
  #isPaused = false;
  #isHeld = false;
  #isDeaf = false;
  #error: Error | undefined;
  #waiting: (() => void)[] = [];
  #bytesRead = -1;
  #bytesTaken = -1;

  /** @param ws Open. */
  constructor(ws: TurnSocket, settings: ConnectionSettings) {
    this.name = addressOf(ws.socket);
    this.#ws = ws;
    this.#settings = settings;
    const { heartbeatMs } = settings;
    this.#beating = heartbeatMs > 0 ? setInterval(beat, heartbeatMs, this) : undefined;
    ws.on("message", (data: Buffer, isBinary) => this.#receive(data, isBinary));
    // Without a listener a message that is too large would end the process.
    ws.on("error", (error) => {
      this.#error ??= describeFault(error);
    });
    ws.on("close", (code, reason) => this.#end(code, reason.toString()));
    ws.socket?.on("drain", () => this.#onDrain());
  }

  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
  }

  /** Bytes that the system has not taken yet. */
  get waitingBytes(): number {
    return this.#ws.waitingBytes;
  }

  /** @returns Whether more may follow at once; else await `drained()` first. Nothing is sent when it is not open. */
  send(text: string | Buffer): boolean {
    if (!this.isOpen) return false;
    this.#ws.sendText(text);
    return (this.#ws.socket?.writableLength ?? 0) < CALM_BYTES || this.#checkWaiting();
  }

  #checkWaiting(): boolean {
    const bytes = this.#ws.waitingBytes;
    const { pauseAtBytes, maxBufferedBytes, onPaused } = this.#settings;
    if (bytes > maxBufferedBytes) {
      const text = `Cannot send to a peer that does not read: ${bytes} bytes wait, limit is ${maxBufferedBytes}`;
      this.drop(Object.assign(new RangeError(text), { code: "ENOBUFS", bytes, limit: maxBufferedBytes }));
      return false;
    }
    if (bytes > pauseAtBytes && !this.#isPaused) {
      this.#isPaused = true;
      this.#ws.pause();
      onPaused?.(this, bytes);
    }
    return this.#ws.socket?.writableNeedDrain === false;
  }

  #onDrain() {
    if (this.#isPaused) {
      this.#isPaused = false;
      if (!this.#isHeld) this.#ws.resume();
    }
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when the system has taken all, or the connection has ended. */
  async drained(): Promise<void> {
    this.#ws.flush();
    if (!this.isOpen || !this.#ws.socket?.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Reads no more until told otherwise: whoever handles the messages is behind. */
  hold(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return;
    this.#isHeld = isHeld;
    if (isHeld) this.#ws.pause();
    else if (!this.#isPaused) this.#ws.resume();
  }

  #receive(data: Buffer, isBinary: boolean) {
    if (this.#isDeaf) return;
    try {
      if (isBinary) throw new MalformedError(CLOSE.binary, "Cannot read message: it is binary, not text");
      this.speaker?.onMessage(parseMessage(data.toString()), data);
    } catch (error) {
      this.refuse(error as Error);
    }
  }

  /**
   * Once an interval: pings, and drops a peer of whom nothing has come since the last time. One that is read from no
   * more has to take something instead; that our own side is behind is not held against it.
   */
  beat(): void {
    const { bytesRead = 0, bytesWritten = 0, writableLength = 0 } = this.#ws.socket ?? {};
    const bytesTaken = bytesWritten - writableLength;
    const hasMoved = bytesRead !== this.#bytesRead || (this.#isPaused && bytesTaken !== this.#bytesTaken);
    this.#bytesRead = bytesRead;
    this.#bytesTaken = bytesTaken;
    if (!hasMoved && !this.#isHeld) {
      const text = `Cannot keep connection: nothing came back for ${this.#settings.heartbeatMs} ms`;
      this.drop(Object.assign(new Error(text), { code: "ETIMEDOUT" }));
    } else if (!this.#isPaused && this.isOpen) {
      if (this.speaker?.ping) this.speaker.ping();
      else this.#ws.ping();
    }
  }

  /** Takes no more messages; what is sent still goes out. */
  deafen(): void {
    this.#isDeaf = true;
  }

  /** Closes because of what came: the other side is told what it did wrong, not what went wrong in here. */
  refuse(error: Error): void {
    this.#error ??= error;
    if (error instanceof MalformedError) this.close(error.closeCode, error.message);
    else this.close(CLOSE.handlerFailed);
  }

  /** Sends the close frame behind all that was sent, and reads until the other side has answered it. */
  close(code: number, reason = ""): void {
    this.#isDeaf = true;
    // What is not read would keep the answer from being seen.
    this.#ws.resume();
    this.#ws.close(code, reason);
  }

  /** Cuts the connection: the other side is not there to be told. */
  drop(error?: Error): void {
    this.#error ??= error;
    this.#ws.terminate();
  }

  #end(code: number, reason: string) {
    this.#isDeaf = true;
    clearInterval(this.#beating);
    for (const resolve of this.#waiting.splice(0)) resolve();
    const error = this.#error;
    // What the other side says of our refusal is not read any more.
    const ending = { code: error instanceof MalformedError ? error.closeCode : code, reason, error };
    this.#settings.onEnd(this, ending);
    this.speaker?.onEnd(ending);
  }
}

function beat(connection: Connection) {
  connection.beat();
}

/** Address and port of the other side. */
export function addressOf(socket: Socket | undefined): string {
  const { remoteAddress: host = "unknown", remotePort: port = 0 } = socket ?? {};
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What `ws` found wrong with a frame, in words; it has closed with this code itself. */
function describeFault(error: Error & { code?: string }): Error {
  if (!error.code?.startsWith("WS_ERR_")) return error;
  const [closeCode, why] = FAULTS[error.code] ?? [CLOSE.protocol, error.message];
  return new MalformedError(closeCode, `Cannot read message: ${why}`, { cause: error });
}

const FAULTS: Record<string, readonly [closeCode: number, why: string]> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: [CLOSE.tooLarge, "it is above maxPayload"],
  WS_ERR_TOO_MANY_BUFFERED_PARTS: [CLOSE.tooManyFragments, "it has more fragments than maxFragments"],
  WS_ERR_INVALID_UTF8: [CLOSE.notJson, "it is no UTF-8"],
};
