import type { Socket } from "node:net";

/** What this needs of a socket of Socket.IO's engine: its events, and the request it began with. */
export interface EngineSocket {
  readonly request: { readonly socket: Socket };
  readonly transport: { readonly name: string };
  readonly remoteAddress: string;
  on(event: "flush" | "drain" | "close", listener: () => void): unknown;
  on(event: "packetCreate", listener: (packet: { data?: unknown }) => void): unknown;
  close(discard?: boolean): void;
}

/** 4 MiB: far above what a phone is behind for a moment, far below what hurts. */
const MOST_WAITING_BYTES = 4_194_304;

/**
 * Looks after what is sent to one client: what the engine hands on together goes out in one write, and a client that does not
 * read is dropped at 4 MiB, where Socket.IO would keep all for it.
 *
 * @param onDropped Called with the bytes that wait.
 */
export function watchOutgoing(client: EngineSocket, onDropped: (bytes: number) => void): void {
  const { socket } = client.request;
  let waitingBytes = 0;
  // From "flush" to "drain" the engine writes a frame a packet; both come in the same turn. The next flush comes when the
  // system has taken them.
  client.on("flush", () => {
    waitingBytes = 0;
    socket.cork();
  });
  client.on("drain", () => socket.uncork());
  client.on("packetCreate", ({ data }) => {
    if (typeof data === "string") waitingBytes += data.length;
    if (waitingBytes <= MOST_WAITING_BYTES) return;
    onDropped(waitingBytes);
    client.close(true);
    // Politely is not enough: it would wait for a close frame to be taken.
    socket.destroy();
  });
}
