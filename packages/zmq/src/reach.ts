import { checkDurations } from "@ipc/core/durations";
import { tell } from "@ipc/core/tell";
import type { Socket } from "zeromq";
import { type ClientKeys, clientKeys } from "./curve.ts";
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

/** Options of everything that connects. */
export interface ReachOptions extends SocketOptions {
  /** How long to wait for somebody who is not there yet, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /** Encryption: the other side must be the one we mean, and know us. */
  curve?: ClientKeys | undefined;
}

/**
 * Opens a socket that is connected, and waits for the other side: ZeroMQ itself takes every address for good and says
 * nothing.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` nobody there within `waitMs` · `EPROTO` somebody with other keys, or who does not speak
 *   ZeroMQ · `EACCES` our key is not allowed there.
 */
export async function openConnection<S extends Socket>(
  create: Create<S>,
  url: string,
  options: ReachOptions,
): Promise<End<S>> {
  const { waitMs = SOCKET_DEFAULTS.waitMs } = options;
  checkDurations({ waitMs });
  parseEndpoint(url);
  const settings = { ...toSettings(options), ...clientKeys(options.curve) };
  const socket = create(await loadZeromq(), settings);
  const report = (event: ZmqEvent) => tell(options.onEvent, event);
  const text = `Cannot connect to ${url}: nobody answers there`;
  // Or what the last handshake failed with: it may be a server that is just starting or ending.
  let failure: Error = Object.assign(new Error(text), { code: "ECONNREFUSED" });
  let timer: NodeJS.Timeout | undefined;
  try {
    const waitForPeers = await new Promise<End<S>["waitForPeers"]>((resolve, reject) => {
      const giveUp = () => reject(failure);
      timer = setTimeout(giveUp, waitMs || AT_ONCE_MS);
      const reaches = join(socket, url, options, (event) => {
        if (event.type === "waiting" && waitMs === 0) return giveUp();
        report(event);
        if (event.type === "connected") resolve(reaches);
        if (event.type !== "refused") return;
        failure = event.error;
        if ("code" in failure && failure.code === "EACCES") giveUp();
      });
    });
    return {
      socket,
      url,
      ...withDefaults(options),
      report,
      waitForPeers,
      stop: async () => {},
      end: () => socket.close(),
    };
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** For `waitMs` 0: long enough for a handshake, for a host that does not answer at all. */
const AT_ONCE_MS = 3_000;

/** Connects without waiting: libzmq goes on trying by itself, now and after every outage. */
export function join(socket: Socket, url: string, options: SocketOptions, report: (event: ZmqEvent) => void) {
  prepare(socket, url, options);
  const waitForPeers = watch(socket, report);
  socket.connect(url);
  return waitForPeers;
}
