/**
 * Bodies: JSON under its own name, without what two programs would read differently.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import { httpError } from "./problems.ts";

/** The media types that routes take. */
export const JSON_TYPE = "application/json";
/** RFC 7396. */
export const MERGE_PATCH_TYPE = "application/merge-patch+json";

/** What the whole header has to be, for each type: parameters are for `charset` alone. */
const PATTERNS = {
  [JSON_TYPE]: /^application\/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?$/i,
  [MERGE_PATCH_TYPE]: /^application\/merge-patch\+json(?:[ \t]*;[ \t]*charset="?utf-8"?)?$/i,
} as const;

/**
 * Refuses a body of another kind before it is read. A page elsewhere can send `text/plain` without being asked, but not
 * JSON under its name.
 *
 * @throws {Error} 415.
 */
export function checkContentType(
  wanted: keyof typeof PATTERNS,
  headers: { "content-type"?: string | undefined; "content-encoding"?: string | undefined },
): void {
  const { "content-type": type, "content-encoding": encoding } = headers;
  if (encoding !== undefined) {
    throw httpError(415, `Content-Encoding '${encoding}' is not taken: send the body as it is`);
  }
  if (type === undefined || !PATTERNS[wanted].test(type)) {
    throw httpError(415, `Content-Type is '${type ?? ""}': it has to be ${wanted}`);
  }
}

/**
 * Reads a body.
 *
 * @throws {Error} 400 for what is no UTF-8 or no JSON, and for a name that is there twice, of which parsers take one or
 *   the other (RFC 7493 section 2.3). Names that nobody knows, `__proto__` among them, are refused by the schemas.
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw httpError(400, "The body is not UTF-8");
  const text = bytes.toString();
  const value = parse(text);
  checkNames(text);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw httpError(400, text === "" ? "The body is empty" : `The body is not JSON: ${(cause as Error).message}`);
  }
}

/** In a text that is JSON: a name with its colon, another string, a brace. */
const TOKEN = /("(?:[^"\\]+|\\.)*")(\s*:)?|[{}]/g;

function checkNames(text: string): void {
  const open: Set<string>[] = [];
  for (const [token, string, colon] of text.matchAll(TOKEN)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (string !== undefined && colon !== undefined) checkName(JSON.parse(string), open.at(-1));
  }
}

function checkName(name: string, names: Set<string> | undefined): void {
  if (names?.has(name)) throw httpError(400, `The body has the member '${name}' twice`);
  names?.add(name);
}
