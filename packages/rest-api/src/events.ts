import { printable } from "@ipc/core/terminal";

/** What a server tells. `peer` is an address and port such as `127.0.0.1:54321`. */
export type ServerEvent =
  | { type: "answered"; peer: string; method: string; path: string; status: number }
  /** What could not be read as a request, or is not for this server. */
  | { type: "refused"; peer: string; status: number; reason: string }
  /** Somebody asked to be told of changes. */
  | { type: "following"; peer: string }
  | { type: "left"; peer: string }
  /** Somebody who follows the changes and does not read them. */
  | { type: "dropped"; peer: string; reason: string }
  /** A fault of the server or of its database. */
  | { type: "failed"; error: Error };

/** One line for a log. */
export function describeEvent(event: ServerEvent): string {
  switch (event.type) {
    case "answered":
      return `${event.peer} ${event.method} ${readable(event.path)} ${event.status}`;
    case "refused":
      return `${event.peer} refused with ${event.status}: ${readable(event.reason)}`;
    case "following":
      return `${event.peer} follows the changes`;
    case "left":
      return `${event.peer} follows no more`;
    case "dropped":
      return `${event.peer} dropped: ${event.reason}`;
    case "failed":
      return `Cannot do what was asked: ${event.error.message}`;
  }
}

/** The address of whoever is at the other end. */
export function peerOf(socket: { remoteAddress?: string | undefined; remotePort?: number | undefined } | null): string {
  const { remoteAddress: host = "unknown", remotePort: port = 0 } = socket ?? {};
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function readable(text: string): string {
  return printable(new TextEncoder().encode(text));
}
