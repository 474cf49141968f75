import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient, type InStatement, type ResultSet } from "@libsql/client";

/** A libSQL database: a file that several processes share, or a server. */
export interface Database {
  /** One statement that only reads. */
  read(statement: InStatement): Promise<ResultSet>;
  /** Several statements that happen all or not at all. */
  write(statements: InStatement[]): Promise<ResultSet[]>;
  close(): void;
}

/** What the database did not do, and may do if it is asked again: answered with 503. */
export class DatabaseUnavailable extends Error {
  override name = "DatabaseUnavailable";
  code = "ERR_DATABASE";
}

/**
 * How long a statement blocks this process for a lock that another one has: writes take less than a millisecond, and
 * while this waits nobody else is answered. The rest of the waiting is done asleep.
 */
const BLOCKED_MS = 10;
/** How long a statement waits for its turn in all, and how long for a server. */
const WAIT_MS = 3_000;

/**
 * Opens a database.
 *
 * @param url `file:books.db`, or `libsql://`, `https://` and `wss://` of a server; its token as `?authToken=…`.
 * @param isSynced Whether a file is synced to the disk with every write.
 * @throws {Error} `ERR_DATABASE` when it cannot be opened.
 */
export async function openDatabase(url: string, isSynced: boolean): Promise<Database> {
  const reader = open(url);
  if (reader.protocol !== "file") return onServer(reader);
  // A database in memory is there on one connection only.
  const writer = url.includes(":memory:") ? reader : open(url);
  const database = inFile(reader, writer, isSynced);
  try {
    for (const client of new Set([reader, writer])) await unlessBusy(() => prepare(client, isSynced));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Of one connection a client, so that what is set for a connection holds. */
function open(url: string): Client {
  try {
    return createClient({ url, concurrency: url.startsWith("file:") ? 1 : 20, timeout: BLOCKED_MS });
  } catch (cause) {
    const text = `Cannot open database ${url.replace(/\?.*$/, "")}: ${(cause as Error).message}`;
    throw new DatabaseUnavailable(text, { cause });
  }
}

/**
 * WAL: readers do not wait for the writer, nor it for them. NORMAL: what is written survives the death of the process,
 * FULL: that of the machine as well.
 */
function prepare(client: Client, isSynced: boolean): Promise<void> {
  return client.executeMultiple(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${isSynced ? "FULL" : "NORMAL"}`);
}

function inFile(reader: Client, writer: Client, isSynced: boolean): Database {
  let last: Promise<unknown> = Promise.resolve();

  async function writeOnce(statements: InStatement[]) {
    // A batch that finds the lock taken leaves its connection unusable (tursodatabase/libsql-client-ts#352); this does not.
    await writer.executeMultiple("BEGIN IMMEDIATE; COMMIT");
    try {
      return await writer.batch(statements, "write");
    } catch (error) {
      // Somebody took it in between.
      if (codeOf(error) === BUSY) {
        await writer.reconnect();
        await prepare(writer, isSynced);
      }
      throw error;
    }
  }

  return {
    read: (statement) => unlessBusy(() => reader.execute(statement)),
    write(statements) {
      // One after another: those of this process do not wait for each other's locks.
      const deadline = performance.now() + WAIT_MS;
      const written = last.then(() => unlessBusy(() => writeOnce(statements), deadline));
      last = written.catch(() => {});
      return written;
    },
    close() {
      reader.close();
      writer.close();
    },
  };
}

/** While another process has the lock: again, within the time for all of it. */
async function unlessBusy<T>(ask: () => Promise<T>, deadline = performance.now() + WAIT_MS): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (cause) {
      if (codeOf(cause) !== BUSY || performance.now() > deadline) throw toError(cause);
      await sleep(1 + Math.random() * 10);
    }
  }
}

function onServer(client: Client): Database {
  return {
    read: (statement) => inTime(client.execute(statement)),
    write: (statements) => inTime(client.batch(statements, "write")),
    close: () => client.close(),
  };
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  const late = new AbortController();
  const waited = sleep(WAIT_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`no answer within ${WAIT_MS} ms`);
  });
  try {
    return await Promise.race([answer, waited]);
  } catch (cause) {
    throw toError(cause);
  } finally {
    waited.catch(() => {});
    late.abort();
  }
}

const BUSY = "SQLITE_BUSY";
/** What asking again would not mend: a mistake in a statement. */
const MISTAKES = ["SQLITE_ERROR", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH"];

function toError(cause: unknown): unknown {
  if (MISTAKES.includes(codeOf(cause))) return cause;
  return new DatabaseUnavailable(`Cannot ask the database: ${(cause as Error).message}`, { cause });
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code);
}
