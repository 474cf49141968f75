/**
 * A server on a Unix domain socket: a file that only its owner may open.
 *
 * @module
 */
import { once } from "node:events";
import { chmod, lstat, mkdtemp, rm, unlink } from "node:fs/promises";
import { connect, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { claimPath } from "./claim-path.ts";
import { listenError } from "./listen-error.ts";
import { toSocketPath } from "./socket-path.ts";
import { type Place, type SocketServer, type SocketServerOptions, startSocketServer } from "./socket-server.ts";
import { formatPath, parsePath } from "./url.ts";

/** Where a server listens, and its limits. */
export interface UnixServerOptions extends SocketServerOptions {
  /** Such as `unix:/tmp/echo.sock`; the path has at most 98 bytes, on macOS 94. On Windows it names a pipe. */
  url: string;
}

/**
 * Listens on a Unix socket of mode 0600, and runs `serve` once for each connection; as {@link startTcpServer}. In
 * events, a connection is called by its number: it has no address.
 *
 * The file of a server that was killed is replaced. One that listens is never displaced, and what is no socket is never
 * removed.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} `ENAMETOOLONG`.
 * @throws {Error} `EADDRINUSE`, `EACCES`, `ENOENT` (no such folder), `ENOTSOCK`, with the URL in its text.
 * @example
 * ```ts
 * import { text } from "node:stream/consumers";
 * import { connectUnix } from "@ipc/core/sockets";
 * import { startUnixServer } from "@ipc/core/unix-server";
 *
 * const server = await startUnixServer({ url: `unix:/tmp/${process.pid}.sock` }, async (socket) => {
 *   socket.write("Good day");
 * });
 * console.log(await text(await connectUnix(server.url)));
 * await server.close();
 * ```
 * ```text
 * Good day
 * ```
 */
export async function startUnixServer(
  options: UnixServerOptions,
  serve: (socket: Socket, signal: AbortSignal) => Promise<void>,
): Promise<SocketServer> {
  const path = parsePath(options.url, "unix");
  const url = formatPath("unix", path);
  let connections = 0;
  const nameOf = () => `client ${++connections}`;
  const place = process.platform === "win32" ? pipePlace(path) : filePlace(toSocketPath(path, { spareBytes: 9 }));
  const listen = async (server: Server) => {
    try {
      await place.listen(server);
      return url;
    } catch (cause) {
      // Whoever came by while it looked for its place.
      await new Promise((resolve) => server.close(resolve));
      throw listenError(url, cause, REASONS);
    }
  };
  return await startSocketServer({ ...place, nameOf, listen }, options, serve);
}

const REASONS: Record<string, string> = {
  EADDRINUSE: "somebody listens there already",
  EACCES: "permission denied",
  ENOENT: "there is no such folder",
  ENOTDIR: "its folder is a file",
};

type Listening = { listen(server: Server): Promise<void> } & Pick<Place, "leave">;

function filePlace(path: string): Listening {
  let own: string | undefined;
  return {
    async listen(server) {
      // Made in a folder that nobody else may enter: no moment at which others could connect. It listens before it has
      // its name: a file under that name where nobody listens is a dead one.
      const folder = await mkdtemp(`${path}.`);
      try {
        const socket = join(folder, "s");
        await listenOn(server, socket);
        await chmod(socket, 0o600);
        if (!(await claimPath(socket, path, lookAtSocket))) throw systemError("EADDRINUSE");
        own = await identify(path);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
    async leave() {
      // Before the server stops listening: until then nobody else takes the file for a dead one.
      if (own !== undefined && (await identify(path)) === own) await unlink(path);
    },
  };
}

/** On Windows a pipe's name is free again when its process has ended: there is no file. */
function pipePlace(path: string): Listening {
  return { listen: (server) => listenOn(server, toSocketPath(path)) };
}

async function listenOn(server: Server, path: string): Promise<void> {
  server.listen({ path, backlog: 4_096 });
  await once(server, "listening");
}

/** Only a refusal tells that nobody is there: a server that is stopped or busy still takes connections. */
async function lookAtSocket(path: string): Promise<"alive" | "dead" | "gone"> {
  const stats = await lstatIfThere(path);
  if (!stats) return "gone";
  if (!stats.isSocket()) throw systemError("ENOTSOCK", `${path} is no socket, and is left as it is`);
  const code = await new Promise<string>((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => resolve("connected"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    socket.once("close", () => resolve("closed")).once("connect", () => socket.destroy());
  });
  if (code === "ECONNREFUSED") return "dead";
  if (code === "ENOENT") return "gone";
  if (code === "EACCES") throw systemError(code);
  return "alive";
}

async function identify(path: string): Promise<string | undefined> {
  const stats = await lstatIfThere(path);
  return stats && `${stats.dev} ${stats.ino}`;
}

async function lstatIfThere(path: string) {
  return await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

function systemError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}
