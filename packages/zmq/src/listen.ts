import { chmod, lstat } from "node:fs/promises";
import { connect } from "node:net";
import { listenError } from "@ipc/core/listen-error";
import { tell } from "@ipc/core/tell";
import type { Socket } from "zeromq";
import { guard, type ServerKeys } from "./curve.ts";
import type { ZmqEvent } from "./events.ts";
import {
  type Create,
  type End,
  loadZeromq,
  parseEndpoint,
  prepare,
  SOCKET_DEFAULTS,
  type SocketOptions,
  toSettings,
  watch,
  withDefaults,
} from "./socket.ts";

/** Options of everything that listens. */
export interface ListenOptions extends SocketOptions {
  /** Where to listen: `tcp://` or `ipc://`. Port 0 takes a free one. @default {"tcp://127.0.0.1:0"} */
  url?: string | undefined;
  /** Encryption, and who may connect; without it anybody may who reaches the address. */
  curve?: ServerKeys | undefined;
}

/**
 * Opens a socket that listens.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `EADDRINUSE` and its like; `ERR_ZEROMQ_BINARY`.
 */
export async function openListener<S extends Socket>(create: Create<S>, options: ListenOptions): Promise<End<S>> {
  const { url = SOCKET_DEFAULTS.url } = options;
  const path = parseEndpoint(url);
  const settings = toSettings(options);
  const zeromq = await loadZeromq();
  const report = (event: ZmqEvent) => tell(options.onEvent, event);
  const gate = await guard(options.curve, report);
  const socket = create(zeromq, { ...settings, ...gate.settings });
  const end = () => {
    socket.close();
    gate.close();
  };
  prepare(socket, url, options);
  const waitForPeers = watch(socket, report);
  // With a monitor, libzmq may have overwritten the code by the time zeromq asks for it.
  const failed = new Promise<Error>((resolve) => socket.events.on("bind:error", ({ error }) => resolve(error)));
  try {
    if (path !== undefined) await checkFree(path);
    await socket.bind(url.replace(/:0$/, ":*")).catch(async (error) => {
      throw error.code === "EAGAIN" ? await failed : error;
    });
    // Until here it has the rights that umask left it.
    if (path !== undefined && process.platform !== "win32") await chmod(path, 0o600);
  } catch (error) {
    end();
    throw listenError(url, error, path === undefined ? undefined : PATH_REASONS);
  }
  const bound = socket.lastEndpoint ?? url;
  return { socket, url: bound, ...withDefaults(options), report, waitForPeers, stop: () => stop(socket), end };
}

async function stop(socket: Socket): Promise<void> {
  const url = socket.lastEndpoint;
  if (!url || socket.closed) return;
  const isFree = new Promise<void>((resolve) => socket.events.on("close", () => resolve()));
  // To libzmq the same as unbind (both end an endpoint). zeromq's unbind() refuses to send and to receive meanwhile, and
  // its unbindSync() binds.
  socket.disconnect(url);
  await isFree;
}

/** libzmq removes whatever is at the path, also a socket that is in use and a file that is none. */
async function checkFree(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!found) return;
  if (!found.isSocket()) throw Object.assign(new Error("not a socket"), { code: "ENOTSOCK" });
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true)).on("error", () => resolve(false));
    probe.once("connect", () => probe.destroy());
  });
  if (isAlive) throw Object.assign(new Error("in use"), { code: "EADDRINUSE" });
}

const PATH_REASONS: Record<string, string> = {
  EADDRINUSE: "the path is taken",
  ENOTSOCK: "there is a file that is no socket",
  ENOENT: "there is no such folder",
  EACCES: "permission denied",
  ENAMETOOLONG: "the path is too long for a socket",
};
