/**
 * A page that needs no build and nothing from elsewhere: its files, and the headers that keep it so.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";
import { extname } from "node:path";

/** A file of a page. */
export interface PageFile {
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * The files of a folder by their path, `index.html` at `/`. All are read now: no request reads a file, and no path finds
 * what is not there.
 *
 * @throws {Error} `ENOENT` when there is no such folder.
 *
 * @example
 * ```ts
 * import { mkdtemp, writeFile } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { pathToFileURL } from "node:url";
 * import { readPage } from "@ipc/core/page-files";
 *
 * const folder = await mkdtemp(join(tmpdir(), "page-"));
 * await writeFile(join(folder, "index.html"), "<!doctype html>");
 * const page = await readPage(pathToFileURL(`${folder}/`));
 * console.log(page.get("/")?.headers["content-type"], page.get("/../secret"));
 * ```
 * ```text
 * text/html; charset=utf-8 undefined
 * ```
 */
export async function readPage(folder: URL): Promise<ReadonlyMap<string, PageFile>> {
  const files = new Map<string, PageFile>();
  for (const name of await readdir(folder)) {
    const body = await readFile(new URL(name, folder));
    const type = TYPES[extname(name)] ?? "application/octet-stream";
    files.set(name === "index.html" ? "/" : `/${name}`, { headers: { ...HEADERS, "content-type": type }, body });
  }
  return files;
}

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
};

/** Only what this server serves runs; `connect-src 'self'` covers its WebSocket (CSP level 3). */
const HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cache-control": "no-cache",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};
