/**
 * A URL is the only address: `tcp://127.0.0.1:65432`, `unix:/tmp/echo.sock`.
 *
 * @module
 */
import { resolve } from "node:path";

/** Where somebody listens. */
export interface Address {
  /** A host name or IP address, without brackets. */
  host: string;
  port: number;
}

/**
 * Reads an address such as `tcp://127.0.0.1:65432` or `tcp://[::1]:65432`.
 *
 * @param protocol Without the colon: `tcp`.
 * @throws {TypeError} `ERR_INVALID_URL` when it is none, is of another protocol, or has no port or more than one.
 * @example
 * ```ts
 * import { parseAddress } from "@ipc/core/url";
 *
 * console.log(parseAddress("tcp://[::1]:65432", "tcp"));
 * ```
 * ```text
 * { host: '::1', port: 65432 }
 * ```
 */
export function parseAddress(url: string, protocol: string): Address {
  const [, scheme, host = "", port] = ADDRESS.exec(url) ?? [];
  if (scheme === protocol && Number(port) <= 65_535) return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  const text = `Cannot use address '${url}': it is no URL such as ${protocol}://127.0.0.1:1234`;
  throw Object.assign(new TypeError(text), { code: "ERR_INVALID_URL", input: url });
}

/**
 * Writes an address as a URL.
 *
 * @example
 * ```ts
 * import { formatAddress } from "@ipc/core/url";
 *
 * console.log(formatAddress("tcp", { host: "::1", port: 65432 }));
 * ```
 * ```text
 * tcp://[::1]:65432
 * ```
 */
export function formatAddress(protocol: string, { host, port }: Address): string {
  return `${protocol}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Not `URL`: it drops the port of `http://127.0.0.1:80`, since that is the protocol's own. */
const ADDRESS = /^([a-z]+):\/\/(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})\/?$/i;

/**
 * Reads an address in the file system such as `unix:/tmp/echo.sock`; `unix:///tmp/echo.sock` is the same. A path that
 * does not begin with `/` is one from the current folder. `%20` stands for a space, as in every URL.
 *
 * @param protocol Without the colon: `unix`.
 * @returns An absolute path.
 * @throws {TypeError} `ERR_INVALID_URL` when it is none, is of another protocol, has a host, or names no file.
 * @example
 * ```ts
 * import { parsePath } from "@ipc/core/url";
 *
 * console.log(parsePath("unix:/tmp/my%20own.sock", "unix"));
 * ```
 * ```text
 * /tmp/my own.sock
 * ```
 */
export function parsePath(url: string, protocol: string): string {
  const [, scheme, path = ""] = PATH.exec(url) ?? [];
  const decoded = decode(path);
  if (scheme === protocol && decoded && !/\0|(^|\/)\.{0,2}$/.test(decoded)) return resolve(decoded);
  const text = `Cannot use address '${url}': it is no URL such as ${protocol}:/tmp/example`;
  throw Object.assign(new TypeError(text), { code: "ERR_INVALID_URL", input: url });
}

/**
 * Writes a path as a URL without blanks.
 *
 * @example
 * ```ts
 * import { formatPath } from "@ipc/core/url";
 *
 * console.log(formatPath("unix", "/tmp/my own.sock"));
 * ```
 * ```text
 * unix:/tmp/my%20own.sock
 * ```
 */
export function formatPath(protocol: string, path: string): string {
  return `${protocol}:${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** Two slashes stand in front of a host: only three are a path. */
const PATH = /^([a-z]+):(?:\/\/(?=\/))?(?!\/\/)(.+)$/is;

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
