/**
 * UDP sockets: binding, connecting, buffers, and addresses.
 *
 * @module
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { listenError } from "@ipc/core/listen-error";
import { formatAddress, parseAddress } from "@ipc/core/url";

/** Where datagrams go to or come from. */
export interface Endpoint {
  /** An IP address. */
  address: string;
  port: number;
  family: number;
}

/** Finds the IP address of a `udp://` URL. @throws {Error} `ERR_INVALID_URL`, `ENOTFOUND`. */
export async function findEndpoint(url: string): Promise<Endpoint> {
  const { host, port } = parseAddress(url, "udp");
  try {
    return { ...(await lookup(host)), port };
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw Object.assign(new Error(`Cannot send to ${url}: there is no such host`, { cause }), { code });
  }
}

/** Whether an address is that of a group (RFC 5771, RFC 4291 section 2.7). */
export function isMulticast({ address, family }: Endpoint): boolean {
  return family === 6 ? /^ff/i.test(address) : Number.parseInt(address, 10) >> 4 === 14;
}

/** A socket that takes addresses as they are: Node's own looks each up again, which costs a turn of the event loop. */
export function openSocket({ family, reuseAddr = false }: { family: number; reuseAddr?: boolean }): Socket {
  return createSocket({
    type: family === 6 ? "udp6" : "udp4",
    reuseAddr,
    lookup: (address, _options, callback) => callback(null, address, family),
  });
}

/** Binds, and gives the URL. @throws {Error} `EADDRINUSE` and its like; the socket is closed then. */
export async function bindSocket(socket: Socket, { address, port }: { address: string; port: number }) {
  try {
    const bound = once(socket, "listening");
    socket.bind({ address, port });
    await bound;
    const own = socket.address();
    return formatAddress("udp", { host: own.address, port: own.port });
  } catch (cause) {
    socket.close();
    throw listenError(formatAddress("udp", { host: address, port }), cause);
  }
}

/** How a socket that sends is to be set up. */
export interface ConnectOptions {
  broadcast?: boolean | undefined;
  interface?: string | undefined;
  ttl?: number | undefined;
}

/**
 * A socket connected to an address: what comes from any other never reaches it, and ICMP's "port unreachable" does.
 *
 * @throws {Error} what the system says, with the URL in its text.
 */
export async function connectSocket(url: string, endpoint: Endpoint, options: ConnectOptions = {}): Promise<Socket> {
  const { broadcast = false, interface: ownAddress, ttl } = options;
  const socket = openSocket(endpoint);
  try {
    const bound = once(socket, "listening");
    socket.bind();
    await bound;
    if (broadcast) socket.setBroadcast(true);
    if (isMulticast(endpoint) && ttl !== undefined) socket.setMulticastTTL(ttl);
    if (isMulticast(endpoint) && ownAddress !== undefined) socket.setMulticastInterface(ownAddress);
    const connected = once(socket, "connect");
    socket.connect(endpoint.port, endpoint.address);
    await connected;
    return socket;
  } catch (cause) {
    socket.close();
    const { code = "", message } = cause as NodeJS.ErrnoException;
    throw sendError(url, code, REASONS[code] ?? message, cause);
  }
}

const REASONS: Record<string, string> = {
  EACCES: "a broadcast address needs the option broadcast",
  ENETUNREACH: "there is no way to that network",
  EADDRNOTAVAIL: "there is no such interface",
  EINVAL: "it is no address to send to",
};

/** Whether an answer may be sent: what the system does not take would wait in memory, without a bound. */
export function hasRoom(socket: Socket): boolean {
  return socket.getSendQueueSize() < MAX_SEND_QUEUE_BYTES;
}

/** 1 MiB: some thousands of small answers. */
const MAX_SEND_QUEUE_BYTES = 1_048_576;

/** Closes a socket; resolves when it is closed. */
export function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

/**
 * Asks for a receive buffer; 0 asks for none and keeps the system's.
 *
 * @returns What it got, in bytes, which may be less.
 */
export function askReceiveBuffer(socket: Socket, bytes: number): number {
  try {
    if (bytes > 0) socket.setRecvBufferSize(bytes);
  } catch {
    // macOS refuses what is above its limit, where Linux gives less: what it has is told either way.
  }
  // Linux doubles what it is asked for, since its own notes count as well, and tells the double (socket(7)).
  return socket.getRecvBufferSize() / (process.platform === "linux" ? 2 : 1);
}

/** `127.0.0.1:54321`, `[::1]:54321`. */
export function peerOf({ address, port }: Pick<RemoteInfo, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The error for what could not be sent or was not answered. */
export function sendError(url: string, code: string, why: string, cause?: unknown): NodeJS.ErrnoException {
  return Object.assign(new Error(`Cannot send to ${url}: ${why}`, { cause }), { code });
}
