import type { Exchange, InFlight } from "./exchange.ts";
import { idOf, outcomeOf } from "./protocol.ts";

/** How messages get to the server and replies back. */
export interface Link {
  /** Sends a message, as soon as there is a connection, and hands it its replies; fails it when the connection is lost. */
  send(exchange: Exchange): void;
  /** What was sent has no reply in time. */
  suspect?(exchange: Exchange): void;
  /** Bytes that the system has not taken yet. */
  readonly bufferedBytes: number;
  /** What failed when there is no connection. */
  readonly lastFailure: Error | undefined;
  /** Ends the connections and the waiting for one. */
  close(): Promise<void>;
}

/** What a link needs to know. */
export interface LinkOptions {
  maxFrameBytes: number;
  maxConnections: number;
  timeoutMs: number;
  waitMs: number;
  /** Ends the waiting for the first connection. */
  signal?: AbortSignal | undefined;
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** Opens a link; rejects when nobody is there within `waitMs`. */
export type OpenLink = (url: string, options: LinkOptions, inFlight: InFlight) => Promise<Link>;

/** What a client tells. Over HTTP connections come and go as they are needed, and are not told of. */
export type ClientEvent =
  /** Nobody is there yet; said once a wait. */
  | { type: "waiting"; url: string; error: Error }
  | { type: "connected"; url: string }
  | { type: "disconnected"; url: string; error: Error }
  /** A reply that nobody waits for: late, doubled, or to nothing that was asked. */
  | { type: "dropped"; url: string; error: Error };

/** The connection was lost under a message: whether it was executed is not known. */
export function resetError(url: string, cause: Error): Error {
  const text = `Cannot get reply from ${url}: ${cause.message}`;
  return Object.assign(new Error(text, { cause }), { code: "ECONNRESET" });
}

/** A reply that belongs to nothing. */
export function unexpected(reply: unknown): Error {
  const outcome = outcomeOf(reply);
  const cause = outcome.status === "rejected" ? outcome.reason : undefined;
  const id = idOf(reply);
  const why = id === null && cause ? cause.message : `nobody waits for id ${JSON.stringify(id)}`;
  return new Error(`Cannot use reply: ${why}`, { cause });
}
