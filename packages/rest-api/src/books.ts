/**
 * The contract: what a book is. One source for the types of server and client, for what is checked at run time on both
 * ends, and for the OpenAPI document.
 *
 * @module
 */
import Type, { type Static } from "typebox";

// One line of text that a database and a screen keep as it is: no control characters, no half characters (lone
// surrogates), and not only spaces.
const LINE = "^(?=.*\\S)[^\\p{Cc}\\p{Cs}]*$";
// The same with line breaks and tabs.
const TEXT = "^[^\\p{Cs}\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$";
/** What an id is made of: short, readable in a URL, the same in every one. */
const ID = "^[a-z0-9][a-z0-9-]{0,63}$";

const fields = {
  title: Type.String({ minLength: 1, maxLength: 200, pattern: LINE, examples: ["Middlemarch"] }),
  author: Type.String({ minLength: 1, maxLength: 200, pattern: LINE, examples: ["George Eliot"] }),
  year: Type.Integer({ minimum: -3000, maximum: 9999, description: "Of the first edition", examples: [1871] }),
  status: Type.Enum(["to read", "reading", "read"]),
  rating: Type.Optional(Type.Integer({ minimum: 1, maximum: 5 })),
  notes: Type.Optional(Type.String({ maxLength: 2_000, pattern: TEXT })),
};

/** What a client sends: everything about a book that it may say. */
export const BookDraft = Type.Object(fields, { additionalProperties: false });
/** What a client sends: everything about a book that it may say. */
export type BookDraft = Static<typeof BookDraft>;

/** Names a book in its URL; chosen by whoever creates it: the server on POST, the client on PUT. */
export const BookId = Type.String({ minLength: 1, maxLength: 64, pattern: ID, examples: ["middlemarch"] });

/** A book as the server tells it. */
export const Book = Type.Object(
  {
    id: BookId,
    ...fields,
    version: Type.Integer({ minimum: 1, description: "The id of the change that made it so; quoted, it is the ETag" }),
    updatedAt: Type.String({ description: "RFC 3339, UTC", examples: ["2026-11-21T12:00:00.000Z"] }),
  },
  { additionalProperties: false },
);
/** A book as the server tells it. */
export type Book = Static<typeof Book>;

/** RFC 7396: only what is to change; `null` removes `rating` or `notes`. */
export const BookPatch = Type.Object(
  {
    ...Type.Partial(Type.Object(fields)).properties,
    rating: Type.Optional(Type.Union([fields.rating, Type.Null()])),
    notes: Type.Optional(Type.Union([fields.notes, Type.Null()])),
  },
  { additionalProperties: false },
);
/** RFC 7396: only what is to change; `null` removes `rating` or `notes`. */
export type BookPatch = Static<typeof BookPatch>;

/** By what a list is sorted; a minus turns it round. `changed` is by the last write. */
export const SORTS = ["title", "-title", "author", "-author", "year", "-year", "changed", "-changed"] as const;
/** By what a list is sorted. */
export type Sort = (typeof SORTS)[number];

/** What a list may be asked for. */
export const ListQuery = Type.Object(
  {
    q: Type.Optional(
      Type.String({ maxLength: 200, pattern: TEXT, description: "In title or author; accents and case do not matter" }),
    ),
    status: Type.Optional(fields.status),
    sort: Type.Optional(Type.Enum([...SORTS], { default: "title" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ maxLength: 2_000, description: "`next` of the page before" })),
  },
  { additionalProperties: false },
);
/** What a list may be asked for. */
export type ListQuery = { [Name in keyof Static<typeof ListQuery>]: Static<typeof ListQuery>[Name] | undefined };

/** One page of a list. */
export const BookPage = Type.Object(
  {
    books: Type.Array(Book),
    next: Type.Optional(
      Type.String({ description: "The `cursor` of the next page; the header Link has its whole URL" }),
    ),
  },
  { additionalProperties: false },
);
/** One page of a list. */
export type BookPage = Static<typeof BookPage>;

/** What happened to a book. Its `id` is what `Last-Event-ID` takes, and the version of the book since. */
export const Change = Type.Object(
  {
    id: Type.Integer({ minimum: 1 }),
    kind: Type.Enum(["created", "replaced", "deleted"]),
    bookId: BookId,
    book: Type.Optional(Book),
  },
  { additionalProperties: false },
);
/** What happened to a book. Its `id` is what `Last-Event-ID` takes, and the version of the book since. */
export type Change = Static<typeof Change>;

/** A query as the end of a URL: `?sort=year`. */
export function searchOf(query: ListQuery): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]));
  return given.length > 0 ? `?${search}` : "";
}

/** An error as RFC 9457 has it. `errors` says which parts of the request are wrong, as in its section 3. */
export const BookProblem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }))),
  },
  { description: "RFC 9457" },
);
/** An error as RFC 9457 has it. `errors` says which parts of the request are wrong, as in its section 3. */
export type BookProblem = Static<typeof BookProblem>;
