import type { RemoteInfo, Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { listenError } from "@ipc/core/listen-error";
import { formatAddress } from "@ipc/core/url";
import { askReceiveBuffer, bindSocket, openSocket } from "./socket.ts";

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
 * @throws {Error} `EADDRINUSE` and its like, with the URL in its text.
 * @throws {TypeError} for an empty `host`.
 */
export async function listenForDatagrams(
  options: BindOptions,
  onDatagram: (bytes: Buffer, from: RemoteInfo) => void,
): Promise<{ socket: Socket; url: string; receiveBufferBytes: number }> {
  const { port = 0, group, receiveBufferBytes = BIND_DEFAULTS.receiveBufferBytes } = options;
  const host = group ?? options.host ?? BIND_DEFAULTS.host;
  if (host === "") throw new TypeError("Cannot listen on host '': that would be every address of this machine");
  const { address, family } = await findAddress(host, port);
  // Several programs of one machine may be in one group, on one port.
  const socket = openSocket({ family, reuseAddr: group !== undefined });
  socket.on("message", onDatagram);
  // Bound to the group's own address, nothing else reaches the socket. Windows binds to none but its own.
  const isOwn = group === undefined || process.platform !== "win32";
  const bound = await bindSocket(socket, { address: isOwn ? address : family === 6 ? "::" : "0.0.0.0", port });
  if (group !== undefined) joinGroup(socket, group, options.interface);
  return { socket, url: bound, receiveBufferBytes: askReceiveBuffer(socket, receiveBufferBytes) };
}

async function findAddress(host: string, port: number) {
  return await lookup(host).catch((error) => {
    throw listenError(formatAddress("udp", { host, port }), error);
  });
}

function joinGroup(socket: Socket, group: string, ownAddress: string | undefined) {
  try {
    socket.addMembership(group, ownAddress);
  } catch (cause) {
    socket.close();
    const { code, message } = cause as NodeJS.ErrnoException;
    const where = ownAddress === undefined ? group : `${group} on ${ownAddress}`;
    throw Object.assign(new Error(`Cannot join group ${where}: ${REASONS[code ?? ""] ?? message}`, { cause }), {
      code,
    });
  }
}

const REASONS: Record<string, string> = {
  EINVAL: "it is no multicast address",
  ENODEV: "there is no such interface, or no route to the group",
  EADDRNOTAVAIL: "there is no such interface",
};
