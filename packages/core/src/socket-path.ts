/** What `sun_path` takes beside its NUL: Linux has 108 bytes (unix(7)), macOS and the BSDs have 104 (unix(4)). */
const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;

/**
 * The name under which the system knows a Unix socket: its path, or on Windows a named pipe of the same name, since
 * Node has no Unix sockets there.
 *
 * @param path Absolute.
 * @param spareBytes Bytes to be kept free behind it.
 * @throws {RangeError} `ENAMETOOLONG`: the system would cut it off in silence and listen on another path.
 * @example
 * ```ts
 * import { toSocketPath } from "@ipc/core/socket-path";
 *
 * console.log(toSocketPath("/tmp/echo.sock", { platform: "linux" }));
 * console.log(toSocketPath("C:\\temp\\echo.sock", { platform: "win32" }));
 * ```
 * ```text
 * /tmp/echo.sock
 * \\.\pipe\C:\temp\echo.sock
 * ```
 */
export function toSocketPath(
  path: string,
  { platform = process.platform, spareBytes = 0 }: { platform?: NodeJS.Platform; spareBytes?: number } = {},
): string {
  if (platform === "win32")
    return path.startsWith(PIPES) ? path : PIPES + path.replaceAll("/", "\\").replace(/^\\/, "");
  const pathBytes = Buffer.byteLength(path);
  const maxPathBytes = MAX_PATH_BYTES - spareBytes;
  if (pathBytes <= maxPathBytes) return path;
  const text = `Cannot use path of ${pathBytes} bytes for a socket: limit is ${maxPathBytes}`;
  throw Object.assign(new RangeError(text), { code: "ENAMETOOLONG", pathBytes, maxPathBytes });
}

/** Where Windows keeps named pipes: not in the file system. */
const PIPES = "\\\\.\\pipe\\";
