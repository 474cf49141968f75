/**
 * Real services, started privately: a broker, a store, a browser's binary. For tests, and for programs that must stop what
 * they started. Knows no service by name.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { access, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { connectTcp } from "./sockets.ts";

/** A service that was started here. */
export interface Service {
  readonly pid: number;
  /** Where it listens. */
  readonly url: string;
  /** All that it printed, its last 64 KiB. */
  readonly output: string;
  /** Ends it with SIGTERM, after 10 s with SIGKILL, and removes its folder unless that was given. May be called again. */
  close(): Promise<void>;
  /** Ends it at once, as a crash would. Its folder stays, so that it can be started again on it. */
  kill(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a service is started. */
export interface ServiceOptions {
  /** What it is called in errors: `RabbitMQ`. */
  name: string;
  /** The program, as `findBinary` gives it. */
  command: string;
  /** Its arguments, given the port to listen on and the folder to keep its data in. */
  args?: ((place: ServicePlace) => readonly string[]) | undefined;
  /** Variables in addition to this process's; likewise. */
  env?: ((place: ServicePlace) => Record<string, string>) | undefined;
  /** What has to be written before it starts; likewise. */
  prepare?: ((place: ServicePlace) => Promise<void>) | undefined;
  /** The port to listen on: one that a service had before. @default {a free one} */
  port?: number | undefined;
  /** The folder to keep its data in, which then stays. @default {a temporary one} */
  folder?: string | undefined;
  /** How long it may take until it accepts connections, in ms. @default {60_000} */
  waitMs?: number | undefined;
}

/** Where a service lives. */
export interface ServicePlace {
  port: number;
  folder: string;
}

/**
 * Starts a service on a free port of 127.0.0.1 with a temporary folder, and waits until it accepts connections.
 *
 * @throws {Error} `ERR_SERVICE`, with the end of what it printed, when it ends or stays silent instead.
 * @example
 * ```ts no-run
 * import { findBinary, startService } from "@ipc/core/services";
 *
 * const command = await findBinary("redis-server");
 * if (!command) throw new Error("needs redis-server");
 * const redis = await startService({ name: "Redis", command, args: ({ port }) => ["--port", String(port)] });
 * console.log(redis.url);
 * await redis.close();
 * ```
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { name, command, waitMs = 60_000 } = options;
  const place = {
    port: options.port ?? (await findFreePort()),
    folder: options.folder ?? (await mkdtemp(join(tmpdir(), "ipc-service-"))),
  };
  const removeFolder = async () => {
    if (options.folder === undefined) await rm(place.folder, { recursive: true, force: true, maxRetries: 3 });
  };
  await options.prepare?.(place);
  const child = spawn(command, options.args?.(place) ?? [], {
    cwd: place.folder,
    env: { ...process.env, ...options.env?.(place) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-65_536);
    });
  }
  const ended = new AbortController();
  const exited = once(child, "close").then(
    () => ended.abort(),
    (error) => ended.abort(error),
  );
  // A program that fails takes its services along.
  const killOnExit = () => child.kill("SIGKILL");
  process.once("exit", killOnExit);
  void exited.then(() => process.off("exit", killOnExit));

  const url = `tcp://127.0.0.1:${place.port}`;
  try {
    (await connectTcp(url, { waitMs, signal: ended.signal })).destroy();
  } catch (cause) {
    child.kill("SIGKILL");
    await exited;
    await removeFolder();
    const text = `Cannot start ${name}: ${output.trim().split("\n").slice(-5).join(" / ") || String(cause)}`;
    throw Object.assign(new Error(text, { cause }), { code: "ERR_SERVICE" });
  }

  async function end(signal: NodeJS.Signals) {
    child.kill(signal);
    const cutOff = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await exited;
    clearTimeout(cutOff);
  }
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= end("SIGTERM").then(removeFolder));
  return {
    pid: child.pid ?? -1,
    url,
    get output() {
      return output;
    },
    close,
    kill: () => end("SIGKILL"),
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Looks for a program on `PATH`, in the folders of daemons, and in `folders`.
 *
 * @param names Whichever is found first: `["chromium", "google-chrome"]`.
 * @returns Its path, or `undefined` where there is none.
 * @example
 * ```ts
 * import { findBinary } from "@ipc/core/services";
 *
 * console.log(await findBinary("no-such-program"));
 * ```
 * ```text
 * undefined
 * ```
 */
export async function findBinary(
  names: string | readonly string[],
  folders: readonly string[] = [],
): Promise<string | undefined> {
  const path = (process.env["PATH"] ?? "").split(delimiter);
  for (const name of typeof names === "string" ? [names] : names) {
    for (const folder of [...path, ...DAEMON_FOLDERS, ...folders]) {
      const file = join(folder, name);
      if (folder !== "" && (await isExecutable(file))) return file;
    }
  }
  return undefined;
}

/** sbin is not on everybody's PATH. */
const DAEMON_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** A free TCP port of 127.0.0.1, for programs that cannot choose one themselves; somebody else may take it meanwhile. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}
