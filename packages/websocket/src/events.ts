import { printable } from "@ipc/core/terminal";
import { CLOSE, type Protocol } from "./protocol.ts";

/** What a server tells. `peer` is an address and port such as `127.0.0.1:54321`. */
export type ServerEvent =
  | { type: "connected"; peer: string; protocol: Protocol }
  /** A session goes on; `gone` messages of it are not kept any more. */
  | { type: "resumed"; peer: string; repeated: number; gone: number }
  | { type: "closed"; peer: string; code: number; reason: string }
  /** The connection was ended because of this error. */
  | { type: "dropped"; peer: string; error: Error }
  /** More than `pauseAtBytes` wait for this client: it is not read from. */
  | { type: "paused"; peer: string; bufferedBytes: number }
  /** A request or a handshake that may not be. */
  | { type: "refused"; peer: string; status: number; reason: string }
  /** `onConnect` threw, or a connection could not be accepted. */
  | { type: "failed"; error: Error };

/** What a client tells. */
export type ClientEvent =
  /** Nobody is there yet; said once a wait. */
  | { type: "waiting"; url: string; error: Error }
  | { type: "connected"; url: string; protocol: Protocol }
  /** The session goes on on a new connection; nothing is lost but what the next event tells. */
  | { type: "resumed"; url: string; repeated: number }
  /**
   * Lost for good. `received`: how many messages of the server are not kept any more; nothing where the server does not
   * know the session any more and nobody can tell. `sent`: what the server may or may not have handled.
   */
  | { type: "lost"; url: string; received: number | undefined; sent: unknown[] }
  | { type: "disconnected"; url: string; code: number; reason: string; error: Error };

/** One line for a log; what others have put into it is made safe to print. */
export function describeServerEvent(event: ServerEvent): string {
  return printable(new TextEncoder().encode(describe(event)), LONGEST);
}

/** More than anybody reads of one line. */
const LONGEST = 500;

function describe(event: ServerEvent): string {
  switch (event.type) {
    case "connected":
      return `${event.peer} connected (${event.protocol})`;
    case "resumed":
      return `${event.peer} resumed its session: ${event.repeated} sent again, ${event.gone} gone`;
    case "closed":
      if (event.code === CLOSE.cut) return `${event.peer} was cut off`;
      return `${event.peer} closed (${event.code}${event.reason && `: ${event.reason}`})`;
    case "dropped":
      return `${event.peer} dropped: ${event.error.message}`;
    case "paused":
      return `${event.peer} reads slowly: ${event.bufferedBytes} bytes wait`;
    case "refused":
      return `${event.peer} refused: ${event.status} ${event.reason}`;
    case "failed":
      return `failed: ${event.error.message}`;
  }
}

/** The same of a client. */
export function describeClientEvent(event: ClientEvent): string {
  return printable(new TextEncoder().encode(describeOwn(event)), LONGEST);
}

function describeOwn(event: ClientEvent): string {
  switch (event.type) {
    case "waiting":
      return `waiting for ${event.url}`;
    case "connected":
      return `connected to ${event.url} (${event.protocol})`;
    case "resumed":
      return `resumed at ${event.url}: ${event.repeated} sent again`;
    case "lost": {
      const received = event.received === undefined ? "an unknown number" : String(event.received);
      return `lost for good: ${received} received, ${event.sent.length} sent that may or may not have been handled`;
    }
    case "disconnected":
      return `disconnected from ${event.url}: ${event.error.message}`;
  }
}
