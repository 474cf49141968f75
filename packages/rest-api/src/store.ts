import type { InStatement, InValue, Row } from "@libsql/client";
import type { Book, BookDraft, BookPage, Change, ListQuery, Sort } from "./books.ts";
import { formatCursor, parseCursor } from "./cursor.ts";
import { openDatabase } from "./database.ts";
import { foldText } from "./ids.ts";

/** Where the books are. Every write adds a row to the table `changes` in the same transaction: its id is the book's version. */
export interface Store {
  get(id: string): Promise<Book | undefined>;
  /** @throws {Error} 400 for a cursor that is none, or of a list in another order. */
  list(query: ListQuery): Promise<BookPage>;
  /** Resolves with nothing when there is a book of this id. */
  create(id: string, draft: BookDraft): Promise<Book | undefined>;
  /** Resolves with nothing when the book is not of this version any more. */
  replace(id: string, draft: BookDraft, version: number): Promise<Book | undefined>;
  /** Resolves with `false` when the book is not of this version any more. */
  remove(id: string, version: number): Promise<boolean>;
  /** What happened after a change, oldest first. */
  changesAfter(id: number, limit: number): Promise<Change[]>;
  /** Ids of the oldest and the newest change that are kept; 0 where nothing ever happened. */
  changeRange(): Promise<{ first: number; last: number }>;
  close(): void;
}

/** A book for the first run. */
export type FirstBook = BookDraft & Pick<Book, "id">;

/** How many changes are kept: those who were away for longer begin anew. */
const KEPT_CHANGES = 10_000;

/**
 * Opens the store, and on the very first run puts `firstBooks` into it.
 *
 * @throws {Error} `ERR_DATABASE` when it cannot be opened.
 */
export async function openStore(url: string, firstBooks: readonly FirstBook[], isSynced: boolean): Promise<Store> {
  const database = await openDatabase(url, isSynced);
  try {
    await database.write(migration(firstBooks));
  } catch (error) {
    database.close();
    throw error;
  }

  /** The change first: what is done to the book relies on it. */
  async function write(change: InStatement, book: InStatement) {
    const [, written] = await database.write([change, book, FORGET]);
    return written?.rows[0] && toBook(written.rows[0]);
  }

  return {
    async get(id) {
      const { rows } = await database.read({ sql: SELECT_ONE, args: [id] });
      return rows[0] && toBook(rows[0]);
    },
    async list(query) {
      const { limit = 20, sort = "title" } = query;
      const { rows } = await database.read(listStatement(query, sort, limit));
      const books = rows.slice(0, limit).map(toBook);
      const last = rows.length > limit && rows[limit - 1];
      return last ? { books, next: formatCursor(sort, last["sort_key"], last["id"]) } : { books };
    },
    create(id, draft) {
      const at = new Date().toISOString();
      const args = [id, JSON.stringify({ id, ...draft, updatedAt: at }), id];
      const sql = `${INSERT_CHANGE} SELECT 'created', ?, ? WHERE NOT EXISTS (SELECT 1 FROM books WHERE id = ?)`;
      return write({ sql, args }, { sql: INSERT_BOOK, args: [id, ...toColumns(draft, at)] });
    },
    replace(id, draft, version) {
      const at = new Date().toISOString();
      const args = [JSON.stringify({ id, ...draft, updatedAt: at }), id, version];
      const sql = `${INSERT_CHANGE} SELECT 'replaced', id, ? FROM books WHERE id = ? AND version = ?`;
      return write({ sql, args }, { sql: UPDATE_BOOK, args: [...toColumns(draft, at), id, version] });
    },
    async remove(id, version) {
      const args = [id, version];
      const sql = `${INSERT_CHANGE} SELECT 'deleted', id, NULL FROM books WHERE id = ? AND version = ?`;
      return (await write({ sql, args }, { sql: DELETE_BOOK, args })) !== undefined;
    },
    async changesAfter(id, limit) {
      const sql = "SELECT id, kind, book_id, book FROM changes WHERE id > ? ORDER BY id LIMIT ?";
      const { rows } = await database.read({ sql, args: [id, limit] });
      return rows.map(toChange);
    },
    async changeRange() {
      const { rows } = await database.read("SELECT min(id) AS first, max(id) AS last FROM changes");
      return { first: Number(rows[0]?.["first"] ?? 0), last: Number(rows[0]?.["last"] ?? 0) };
    },
    close: () => database.close(),
  };
}

const COLUMNS = "id, title, author, year, status, rating, notes, version, updated_at";
const SELECT_ONE = `SELECT ${COLUMNS} FROM books WHERE id = ?`;
const INSERT_CHANGE = "INSERT INTO changes (kind, book_id, book)";
// Both rely on the statement before: nothing where it inserted nothing, otherwise its row is the version.
const DRAFT_COLUMNS = "title, author, year, status, rating, notes, title_key, author_key, updated_at, version";
const INSERT_BOOK = `INSERT INTO books (id, ${DRAFT_COLUMNS})
  SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, last_insert_rowid() WHERE changes() = 1 RETURNING ${COLUMNS}`;
const UPDATE_BOOK = `UPDATE books SET (${DRAFT_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, last_insert_rowid())
  WHERE id = ? AND version = ? RETURNING ${COLUMNS}`;
const DELETE_BOOK = `DELETE FROM books WHERE id = ? AND version = ? RETURNING ${COLUMNS}`;
const FORGET = `DELETE FROM changes WHERE id <= (SELECT max(id) FROM changes) - ${KEPT_CHANGES}`;
const SORT_COLUMNS = { title: "title_key", author: "author_key", year: "year", changed: "version" } as const;

const TABLES = [
  `CREATE TABLE IF NOT EXISTS books (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, author TEXT NOT NULL, year INTEGER NOT NULL, status TEXT NOT NULL,
    rating INTEGER, notes TEXT, title_key TEXT NOT NULL, author_key TEXT NOT NULL,
    version INTEGER NOT NULL, updated_at TEXT NOT NULL)`,
  // AUTOINCREMENT: an id is never used twice, so an ETag is not either.
  `CREATE TABLE IF NOT EXISTS changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, book_id TEXT NOT NULL, book TEXT)`,
  "CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY)",
  ...Object.values(SORT_COLUMNS).map((column) => `CREATE INDEX IF NOT EXISTS books_${column} ON books (${column}, id)`),
];

/** Every process runs it as it starts; whichever is first does it. */
function migration(firstBooks: readonly FirstBook[]): InStatement[] {
  const at = new Date().toISOString();
  const sql = `${INSERT_CHANGE} SELECT 'created', ?, ? WHERE NOT EXISTS (SELECT 1 FROM migrations)`;
  const books = firstBooks.flatMap(({ id, ...draft }) => [
    { sql, args: [id, JSON.stringify({ id, ...draft, updatedAt: at })] },
    { sql: INSERT_BOOK, args: [id, ...toColumns(draft, at)] },
  ]);
  return [...TABLES, ...books, "INSERT OR IGNORE INTO migrations (id) VALUES (1)"];
}

function listStatement({ q, status, cursor }: ListQuery, sort: Sort, limit: number): InStatement {
  const column = SORT_COLUMNS[sort.replace("-", "") as keyof typeof SORT_COLUMNS];
  const [order, beyond] = sort.startsWith("-") ? ["DESC", "<"] : ["ASC", ">"];
  const conditions = ["TRUE"];
  const args: InValue[] = [];
  if (status !== undefined) {
    conditions.push("status = ?");
    args.push(status);
  }
  if (q !== undefined) {
    conditions.push("(instr(title_key, ?) > 0 OR instr(author_key, ?) > 0)");
    args.push(foldText(q), foldText(q));
  }
  if (cursor !== undefined) {
    conditions.push(`(${column}, id) ${beyond} (?, ?)`);
    args.push(...parseCursor(cursor, sort));
  }
  // One more than asked for: whether there is a next page.
  const sql = `SELECT ${COLUMNS}, ${column} AS sort_key FROM books WHERE ${conditions.join(" AND ")}
    ORDER BY ${column} ${order}, id ${order} LIMIT ?`;
  return { sql, args: [...args, limit + 1] };
}

function toColumns({ title, author, year, status, rating, notes }: BookDraft, at: string): InValue[] {
  return [title, author, year, status, rating ?? null, notes ?? null, foldText(title), foldText(author), at];
}

function toBook(row: Row): Book {
  const { id, title, author, year, status, rating, notes, version, updated_at } = row;
  const book: Record<string, unknown> = { id, title, author, year, status };
  if (rating !== null) book["rating"] = rating;
  if (notes !== null) book["notes"] = notes;
  book["version"] = version;
  book["updatedAt"] = updated_at;
  return book as Book;
}

function toChange(row: Row): Change {
  const change = { id: Number(row["id"]), kind: row["kind"] as Change["kind"], bookId: String(row["book_id"]) };
  const { book } = row;
  if (typeof book !== "string") return change;
  return { ...change, book: { ...JSON.parse(book), version: change.id } };
}
