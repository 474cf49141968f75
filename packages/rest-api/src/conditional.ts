/**
 * Conditional requests, RFC 9110 section 13: nobody overwrites what they have not seen.
 *
 * @module
 */
import type { Book } from "./books.ts";
import { httpError } from "./problems.ts";

/** What a request says in `If-Match` and `If-None-Match`. */
export interface Conditions {
  "if-match"?: string | undefined;
  "if-none-match"?: string | undefined;
}

/** The entity tag of a book: its version, which no other state of any book ever has. */
export function etagOf({ version }: Book): string {
  return `"${version}"`;
}

/**
 * Whether a reader has this book already: 304. Weak tags count, as a cache may have made them (section 13.1.2).
 *
 * @throws {Error} 412 when the request wants another version by `If-Match`; 400 for headers that are none.
 */
export function isNotModified({ "if-match": wanted, "if-none-match": known }: Conditions, book: Book): boolean {
  if (wanted !== undefined) checkMatch(wanted, book);
  return known !== undefined && matches(known, etagOf(book), true);
}

/**
 * Lets a write pass that knows what it overwrites: `If-Match` with the book's ETag, or `*` for whatever it is now.
 *
 * @throws {Error} 428 without it, 412 when the book has changed since, 404 when there is none, 400 for what is no ETag.
 */
export function checkWrite({ "if-match": wanted }: Conditions, id: string, book: Book | undefined): Book {
  if (wanted === undefined) throw httpError(428, WITHOUT);
  if (book === undefined) throw noSuchBook(id);
  checkMatch(wanted, book);
  return book;
}

const WITHOUT = "If-Match is missing: send the ETag that you got with the book, or * to overwrite whatever is there";

/** 412: somebody else was there first. */
export function conflict(book?: Book): Error {
  const now = book ? `its ETag is ${etagOf(book)} now` : "it has changed since, or is gone";
  return httpError(412, `Somebody has changed this book: ${now}. Get it again, decide, and repeat with its ETag`);
}

/** 404. */
export function noSuchBook(id: string): Error {
  return httpError(404, `There is no book '${id}'`);
}

function checkMatch(wanted: string, book: Book): void {
  if (!matches(wanted, etagOf(book), false)) throw conflict(book);
}

/** A list of entity tags (RFC 9110 section 8.8.3): `"1", W/"2"`. */
const LIST = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*$/;
const TAG = /(W\/)?("[^"]*")/g;

function matches(header: string, etag: string, isWeakEnough: boolean): boolean {
  // Almost always a single strong tag.
  if (header === etag || header === "*") return true;
  if (!LIST.test(header)) throw httpError(400, 'If-Match and If-None-Match take * or ETags in quotes, such as "17"');
  for (const [, weak, tag] of header.matchAll(TAG)) {
    if (tag === etag && (weak === undefined || isWeakEnough)) return true;
  }
  return false;
}
