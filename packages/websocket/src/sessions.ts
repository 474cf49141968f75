/**
 * The server's end of `ipc.session.v1`: sessions outlive their connections.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import type { Connection } from "./connection.ts";
import { type PeerSettings, ServerPeer } from "./peer.ts";
import { CLOSE, type Ending, SESSION } from "./protocol.ts";
import { type KeepLimits, notAFrame, parseFrame, SessionBooks } from "./session.ts";

/** What all sessions of a server have in common. */
export interface SessionSettings extends PeerSettings, KeepLimits {
  /** How long one waits for its client. */
  resumeMs: number;
  maxWaitingSessions: number;
  /** A client has said hello for the first time. */
  onStart(peer: SessionPeer): void;
  /** One goes on, on another connection. */
  onResume(connection: Connection, repeated: number, gone: number): void;
}

/** All sessions of a server: those with a connection, and those that wait for their client. */
export class Sessions {
  readonly #settings: SessionSettings;
  readonly #sessions = new Map<string, SessionPeer>();
  /** By when they began to wait. */
  readonly #waiting = new Map<SessionPeer, NodeJS.Timeout>();

  constructor(settings: SessionSettings) {
    this.#settings = settings;
  }

  /** The first frame of a connection says which session it is of: a new one, or one that goes on. */
  greet(connection: Connection): void {
    connection.speaker = {
      onMessage: (message) => {
        const frame = parseFrame(message);
        if (frame.type !== "hello") throw notAFrame("it comes before hello");
        const known = this.#sessions.get(frame.session ?? "");
        if (known) this.#resume(known, connection, frame.last);
        else this.#start(connection);
      },
      onEnd() {},
    };
  }

  #start(connection: Connection) {
    const peer = new SessionPeer(connection, this.#settings, this);
    this.#sessions.set(peer.id, peer);
    peer.goOn(connection, 0);
    this.#settings.onStart(peer);
  }

  #resume(peer: SessionPeer, connection: Connection, last: number) {
    peer.books.confirm(last);
    this.#stopWaiting(peer);
    const gone = peer.goOn(connection, last);
    this.#settings.onResume(connection, peer.books.length, gone);
  }

  #stopWaiting(peer: SessionPeer) {
    clearTimeout(this.#waiting.get(peer));
    this.#waiting.delete(peer);
  }

  /** Its connection is gone: keeps it for a while. */
  wait(peer: SessionPeer): void {
    const { resumeMs, maxWaitingSessions } = this.#settings;
    this.#waiting.set(peer, setTimeout(() => this.end(peer), resumeMs).unref());
    const [oldest] = this.#waiting.keys();
    if (oldest && this.#waiting.size > maxWaitingSessions) this.end(oldest);
  }

  /** Forgets it. */
  end(peer: SessionPeer): void {
    this.#stopWaiting(peer);
    if (this.#sessions.delete(peer.id)) this.#settings.onGone(peer);
  }

  endAll(): void {
    for (const peer of [...this.#sessions.values()]) this.end(peer);
  }
}

/** A peer that speaks `ipc.session.v1`. What is sent while it has no connection is kept for later. */
export class SessionPeer extends ServerPeer {
  readonly id = randomUUID();
  readonly books: SessionBooks;
  override readonly protocol = SESSION;
  readonly #sessions: Sessions;

  constructor(connection: Connection, settings: SessionSettings, sessions: Sessions) {
    super(connection, settings);
    this.books = new SessionBooks(settings);
    this.#sessions = sessions;
  }

  /** Goes on here with what comes after `last`. @returns how many of those are not kept any more. */
  goOn(connection: Connection, last: number): number {
    const gone = this.books.goneAfter(last);
    const previous = this.connection;
    this.connection = connection;
    connection.speaker = this;
    if (previous && previous !== connection) {
      previous.speaker = undefined;
      previous.close(CLOSE.takenOver, "this session goes on elsewhere");
    }
    connection.send(JSON.stringify({ welcome: { session: this.id, last: this.books.received, gone } }));
    for (const frame of this.books.after(last)) connection.send(frame);
    return gone;
  }

  override onMessage(message: unknown, data: Buffer): void {
    const frame = parseFrame(message);
    if (this.books.accept(frame, this.#sendFrame)) this.handle(frame.data, data.length);
  }

  readonly #sendFrame = (text: string) => this.connection?.send(text);

  override onEnd({ code }: Ending): void {
    this.connection = undefined;
    if (code === CLOSE.normal) this.#sessions.end(this);
    else this.#sessions.wait(this);
  }

  override sendText(text: string): boolean {
    const frame = this.books.add(text);
    return this.connection?.send(frame) ?? !this.books.isFull(text.length);
  }

  override close(code: number = CLOSE.normal, reason = ""): void {
    super.close(code, reason);
    this.#sessions.end(this);
  }
}
