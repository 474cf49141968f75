import type { Sort } from "./books.ts";
import { httpError } from "./problems.ts";

/**
 * The last book of a page, by what the list is sorted by: the next page begins behind it, whatever was written meanwhile.
 * As text that says nothing to people, so that nobody builds one by hand.
 */
export function formatCursor(sort: Sort, key: unknown, id: unknown): string {
  return Buffer.from(JSON.stringify([sort, key, id])).toString("base64url");
}

/**
 * Reads what a client sent as a cursor: key and id of that book.
 *
 * @throws {Error} 400 when it is none, or of a list that was sorted otherwise.
 */
export function parseCursor(text: string, sort: Sort): [key: string | number, id: string] {
  const [of, key, id] = parseParts(text);
  const isNumeric = sort.endsWith("year") || sort.endsWith("changed");
  const isKey = isNumeric ? Number.isSafeInteger(key) : typeof key === "string";
  if (of === sort && isKey && typeof id === "string") return [key as string | number, id];
  throw httpError(400, `Cannot use cursor: it is none of a list by ${sort}`);
}

function parseParts(text: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}
