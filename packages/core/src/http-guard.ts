/**
 * Pages elsewhere are not trusted: any web page can make its visitor's browser send requests to a port of the visitor's
 * own machine. What every HTTP and WebSocket server refuses for that reason; and, where it has a token, who does not
 * show it.
 *
 * @module
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import { hostname, networkInterfaces } from "node:os";
import { isToken, type TokenOptions } from "./token.ts";

/** Who may ask. */
export interface HttpGuardOptions {
  /** Names under which the server is reached beside its own addresses, without a port: `chat.example.org`. @default {[]} */
  allowedHosts?: readonly string[] | undefined;
  /** Origins whose pages may ask beside those of the server itself: `https://app.example.org`. @default {[]} */
  allowedOrigins?: readonly string[] | undefined;
}

/** An error as RFC 9457 has it, to be sent as `application/problem+json` with its `status`. */
export interface Problem {
  /** A URI that names the kind of problem; `about:blank` where the status says it all. */
  type: string;
  title: string;
  status: number;
  /** What to do about it, for people. */
  detail: string;
}

/** Looks at the headers of a request, before anything else is done with it. */
export type HttpGuard = (
  request: Pick<IncomingMessage, "headers" | "rawHeaders" | "method"> & { readonly httpVersion?: string },
) => Problem | undefined;

/** The media type of a {@link Problem}. */
export const PROBLEM_JSON = "application/problem+json";

/** `WWW-Authenticate` of a 401: a browser then asks its user, and sends what it got with all that its page asks. */
export const CHALLENGE = 'Basic realm="any name, the token as password", charset="UTF-8"';

/**
 * A guard for one server. It refuses:
 *
 * - a `Host` that is none of the server's (421): a name of the attacker's that he points to this machine (DNS rebinding)
 *   makes his page same-origin with the server. Addresses of this machine, its name and `localhost` are its own.
 * - two `Host` lines, or none in HTTP/1.1 (400): RFC 9112 section 3.2. Of two Node takes the first; where there is none it
 *   answers by itself, without a word, unless the server has `requireHostHeader: false`.
 * - an `Origin` that is neither the server's own, by the `Host` it was asked under, nor in `allowedOrigins` (403).
 * - where there is a `token`, a request without it (401): `Authorization: Bearer <token>`, or `Basic` with it as the
 *   password of any name. The answer has {@link CHALLENGE}.
 *
 * Programs send no `Origin`: a request without one passes. Browsers show no token in a preflight: `OPTIONS` of a page that
 * may ask passes without.
 *
 * @example
 * ```ts
 * import { createHttpGuard } from "@ipc/core/http-guard";
 *
 * const guard = createHttpGuard();
 * const ask = (headers: Record<string, string>) => guard({ headers, rawHeaders: Object.entries(headers).flat() });
 * console.log(ask({ host: "127.0.0.1:3000", origin: "http://127.0.0.1:3000" }));
 * console.log(ask({ host: "evil.example:3000" })?.status, ask({ host: "localhost", origin: "null" })?.detail);
 * ```
 * ```text
 * undefined
 * 421 pages of 'null' may not ask here: allow it with --allowed-origins
 * ```
 */
export function createHttpGuard(options: HttpGuardOptions & Pick<TokenOptions, "token"> = {}): HttpGuard {
  const { token } = options;
  const allowedHosts = new Set((options.allowedHosts ?? []).map((name) => name.toLowerCase()));
  const allowedOrigins = new Set(options.allowedOrigins ?? []);

  return ({ headers, rawHeaders, httpVersion, method }) => {
    if (countHosts(rawHeaders) > 1) return problem(400, "there is more than one Host header");
    if (headers.host === undefined && httpVersion === "1.1") return problem(400, "there is no Host header");
    const { host = "", origin } = headers;
    const name = nameOf(host);
    if (name !== undefined && !allowedHosts.has(name) && !isOwnName(name)) {
      return problem(421, `this server is not '${host}': allow it with --allowed-hosts`);
    }
    if (origin !== undefined && !allowedOrigins.has(origin) && !isSameOrigin(origin, host)) {
      return problem(403, `pages of '${origin}' may not ask here: allow it with --allowed-origins`);
    }
    if (token === undefined || (method === "OPTIONS" && origin !== undefined)) return undefined;
    return checkShown(headers.authorization, token);
  };
}

/**
 * A problem whose status says what kind it is.
 *
 * @example
 * ```ts
 * import { problem } from "@ipc/core/http-guard";
 *
 * console.log(problem(413, "the body is above 1048576 bytes"));
 * ```
 * ```text
 * {
 *   type: 'about:blank',
 *   title: 'Payload Too Large',
 *   status: 413,
 *   detail: 'the body is above 1048576 bytes'
 * }
 * ```
 */
export function problem(status: number, detail: string): Problem {
  return { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail };
}

function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts;
}

/** Without the port, which may be another's: that of a forwarder in front. `undefined` for HTTP/1.0, which need not have it. */
function nameOf(host: string): string | undefined {
  if (host === "") return undefined;
  const [, name = host] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(host) ?? [];
  return name.toLowerCase();
}

function isOwnName(name: string): boolean {
  if (LOOPBACK.has(name) || name === hostname().toLowerCase()) return true;
  // Asked each time that it is neither: a machine gets and loses addresses.
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.some(({ address, family }) => (family === "IPv6" ? `[${address}]` : address) === name);
}

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

function isSameOrigin(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** RFC 6750 section 2.1, RFC 7617 section 2. */
function checkShown(authorization: string | undefined, token: string): Problem | undefined {
  const [, scheme = "", value = ""] = /^(basic|bearer) +(\S+)$/i.exec(authorization ?? "") ?? [];
  if (isToken(scheme.toLowerCase() === "basic" ? passwordOf(value) : value, token)) return undefined;
  return problem(401, "the token is missing or wrong: show it as Bearer, or as password of any name");
}

function passwordOf(credentials: string): string {
  const text = Buffer.from(credentials, "base64").toString();
  return text.slice(text.indexOf(":") + 1);
}
