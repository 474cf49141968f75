import type { Connection, Speaker } from "./connection.ts";
import { CLOSE, ECHO, formatMessage, type Protocol } from "./protocol.ts";

/** Somebody who is connected. */
export interface Peer {
  /** Its address and port: `127.0.0.1:51724`; in a session those of its first connection. */
  readonly name: string;
  readonly protocol: Protocol;
  /**
   * Sends a message; what one turn of the event loop sends goes out in one write.
   *
   * @returns Whether it takes more at once. It is dropped when more than `maxBufferedBytes` wait for it.
   * @throws {TypeError} `ERR_MALFORMED` for what JSON cannot say.
   * @throws {RangeError} `ERR_MESSAGE_TOO_LARGE`.
   */
  send(message: unknown): boolean;
  /** Ends its connection, and its session. @param code From 4000 on what you like. @default {1000} */
  close(code?: number, reason?: string): void;
}

/**
 * What the server does with a message: what it returns is sent back, `undefined` is not. The next message of the same
 * peer waits for it; those of others do not. If it throws, the connection is closed with 1011.
 */
export type Handler = (message: unknown, peer: Peer) => unknown;

/** What all peers of a server have in common. */
export interface PeerSettings {
  /** Without one they get back what they sent. */
  handler?: Handler | undefined;
  maxPayload: number;
  /** It is gone. */
  onGone(peer: ServerPeer): void;
}

/** 64 KiB: what may wait behind a handler before its peer is read from no more. */
const WAITING_BYTES = 65_536;

/** A peer that speaks `ipc.echo.v1`. */
export class ServerPeer implements Peer, Speaker {
  readonly name: string;
  readonly protocol: Protocol = ECHO;
  protected connection: Connection | undefined;
  protected readonly settings: PeerSettings;
  #waiting: { message: unknown; bytes: number }[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;

  constructor(connection: Connection, settings: PeerSettings) {
    this.name = connection.name;
    this.connection = connection;
    this.settings = settings;
  }

  onMessage(message: unknown, data: Buffer): void {
    // To the byte.
    if (!this.settings.handler) this.connection?.send(data);
    else this.handle(message, data.length);
  }

  onEnd(_ending: unknown): void {
    this.connection = undefined;
    this.settings.onGone(this);
  }

  send(message: unknown): boolean {
    return this.sendText(formatMessage(message, this.settings.maxPayload));
  }

  /** A message that is JSON already. */
  sendText(text: string): boolean {
    return this.connection?.send(text) ?? false;
  }

  close(code: number = CLOSE.normal, reason = ""): void {
    this.connection?.close(code, reason);
  }

  /** One message after another. @throws what the handler throws at once; what it rejects with closes the connection. */
  protected handle(message: unknown, bytes: number): void {
    if (this.#running !== undefined) {
      this.#waiting.push({ message, bytes });
      this.#waitingBytes += bytes;
      if (this.#waitingBytes > WAITING_BYTES) this.connection?.hold(true);
      return;
    }
    const reply = this.#call(message);
    if (reply instanceof Promise) this.#running = this.#run(reply);
    else if (reply !== undefined) this.send(reply);
  }

  #call(message: unknown): unknown {
    const { handler } = this.settings;
    return handler ? handler(message, this) : message;
  }

  async #run(first: Promise<unknown>): Promise<void> {
    try {
      await this.#answer(first);
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        this.#waitingBytes -= next.bytes;
        await this.#answer(this.#call(next.message));
      }
    } catch (error) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.connection?.refuse(error as Error);
    } finally {
      this.#running = undefined;
      this.connection?.hold(false);
    }
  }

  async #answer(reply: unknown): Promise<void> {
    const found = await reply;
    if (found !== undefined) this.send(found);
  }

  /** Resolves when all that has come is handled. */
  async done(): Promise<void> {
    await this.#running;
  }
}
