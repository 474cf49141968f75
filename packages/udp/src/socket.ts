/**
 * UDP sockets: listening, connecting, groups, buffers, and errors in words.
 *
 * @module
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { listenError } from "@ipc/core/listen-error";
import { formatAddress, parseAddress } from "@ipc/core/url";

/** Where datagrams are listened for. */
export interface BindOptions {
  /** The address to listen on; `0.0.0.0` opens it to the network, and to broadcasts. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** 0 takes a free one; `url` tells which. @default {0} */
  port?: number | undefined;
  /** Takes what is sent to this multicast group instead of what is sent to `host`: `239.1.2.3`. */
  group?: string | undefined;
  /** The own address whose network the group is in; for IPv6 `::%eth0`. @default the system's choice */
  interface?: string | undefined;
  /** The receive buffer to ask the system for, in bytes; 0 keeps its default. @default {4_194_304} */
  receiveBufferBytes?: number | undefined;
}

/** Defaults of options left out. */
export const BIND_DEFAULTS = { host: "127.0.0.1", receiveBufferBytes: 4_194_304 } as const;

/**
 * Opens a socket that listens.
 *
 * @param onDatagram Set before the socket is bound: nothing that comes is missed.
 * @returns Also the receive buffer that it got, in bytes.
 * @throws {Error} `EADDRINUSE` and its like, with the address in its text.
 * @throws {TypeError} for an empty `host`.
 */
export async function listenForDatagrams(
  options: BindOptions,
  onDatagram: (bytes: Buffer, from: RemoteInfo) => void,
): Promise<{ socket: Socket; url: string; receiveBufferBytes: number }> {
  const { port = 0, group, receiveBufferBytes = BIND_DEFAULTS.receiveBufferBytes } = options;
  const host = group ?? options.host ?? BIND_DEFAULTS.host;
  if (host === "") throw new TypeError("Cannot listen on host '': that would be every address of this machine");
  let socket: Socket | undefined;
  try {
    const { address, family } = await lookup(host);
    if (group !== undefined && !isMulticast(address)) throw Object.assign(new Error(), { code: "EINVAL" });
    // Several programs of one machine may be in one group, on one port.
    socket = openSocket(family, group !== undefined).on("message", onDatagram);
    // Bound to the group's own address, nothing else reaches the socket. Windows binds to none but its own.
    const isForeign = group !== undefined && process.platform === "win32";
    await bind(socket, port, isForeign ? (family === 6 ? "::" : "0.0.0.0") : address);
    if (group !== undefined) socket.addMembership(group, options.interface);
    const url = formatAddress("udp", { host: address, port: socket.address().port });
    return { socket, url, receiveBufferBytes: askReceiveBuffer(socket, receiveBufferBytes) };
  } catch (cause) {
    socket?.close();
    throw listenError(formatAddress("udp", { host, port }), cause, group === undefined ? undefined : GROUP_REASONS);
  }
}

/** How a socket that sends is to be set up. */
export interface ConnectOptions {
  /** Allows a broadcast address: `udp://192.168.1.255:5005`. @default {false} */
  broadcast?: boolean | undefined;
  /** The own address in a multicast group's network; for IPv6 `::%eth0`. @default the system's choice */
  interface?: string | undefined;
  /** Through how many routers a multicast may go. @default {1} */
  ttl?: number | undefined;
}

/**
 * A socket connected to an address: what comes from any other never reaches it, and ICMP's "port unreachable" does.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ENOTFOUND`, `EACCES` and their like, with the URL in its text.
 */
export async function connectSocket(url: string, options: ConnectOptions = {}): Promise<Socket> {
  const { host, port } = parseAddress(url, "udp");
  let socket: Socket | undefined;
  try {
    const { address, family } = await lookup(host);
    socket = openSocket(family);
    await bind(socket);
    if (options.broadcast) socket.setBroadcast(true);
    if (isMulticast(address)) {
      socket.setMulticastTTL(options.ttl ?? 1);
      if (options.interface !== undefined) socket.setMulticastInterface(options.interface);
    }
    const connected = once(socket, "connect");
    socket.connect(port, address);
    await connected;
    return socket;
  } catch (cause) {
    socket?.close();
    const { code = "", message } = cause as NodeJS.ErrnoException;
    throw sendError(url, code, SEND_REASONS[code] ?? message, cause);
  }
}

/** Whether an address is that of a group (RFC 5771, RFC 4291 section 2.7). */
export function isMulticast(address: string): boolean {
  return /^(ff..:|(22[4-9]|23\d)\.)/i.test(address);
}

/** Whether an answer may be sent: what the system does not take would wait in memory, without a bound. */
export function hasRoom(socket: Socket): boolean {
  // 1 MiB: some thousands of small answers.
  return socket.getSendQueueSize() < 1_048_576;
}

/** Closes a socket; resolves when it is closed. */
export function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

/** `127.0.0.1:54321`, `[::1]:54321`. */
export function peerOf({ address, port }: Pick<RemoteInfo, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The error for what could not be sent or was not answered. */
export function sendError(url: string, code: string, why: string, cause?: unknown): NodeJS.ErrnoException {
  return Object.assign(new Error(`Cannot send to ${url}: ${why}`, { cause }), { code });
}

/** Takes addresses as they are: Node's own sockets look each one up again, which costs a turn of the event loop. */
function openSocket(family: number, reuseAddr = false): Socket {
  return createSocket({
    type: family === 6 ? "udp6" : "udp4",
    reuseAddr,
    lookup: (address, _options, callback) => callback(null, address, family),
  });
}

async function bind(socket: Socket, port?: number, address?: string) {
  const bound = once(socket, "listening");
  socket.bind(port, address);
  await bound;
}

/** Asks for a receive buffer, 0 for none. @returns What it got, in bytes, which may be less. */
function askReceiveBuffer(socket: Socket, bytes: number): number {
  try {
    if (bytes > 0) socket.setRecvBufferSize(bytes);
  } catch {
    // macOS refuses what is above its limit, where Linux gives less: what it has is told either way.
  }
  // Linux doubles what it is asked for, since its own notes count as well, and tells the double (socket(7)).
  return socket.getRecvBufferSize() / (process.platform === "linux" ? 2 : 1);
}

const GROUP_REASONS: Record<string, string> = {
  EADDRINUSE: "the port is taken",
  EINVAL: "it is no multicast group",
  ENODEV: "there is no such interface, or no route to the group",
  EADDRNOTAVAIL: "there is no such interface",
};

const SEND_REASONS: Record<string, string> = {
  ENOTFOUND: "there is no such host",
  EACCES: "a broadcast address needs the option broadcast",
  ENETUNREACH: "there is no way to that network",
  EADDRNOTAVAIL: "there is no such interface",
  EINVAL: "it is no address to send to",
};
