import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { type Client, createClient } from "@libsql/client";
import fastify from "fastify";
import { BOOK } from "./book.ts";

const flags = { database: { type: "text", help: "libSQL URL; without it there is no query" } } as const;

const COLUMNS = "id, title, author, year, status, rating, notes, version, updated_at";
const QUERY = `SELECT ${COLUMNS} FROM books WHERE id = ?`;

await runProgram({ name: "bare", summary: "A baseline of the benchmark.", flags }, async ({ database }) => {
  const app = fastify();
  const client = database === undefined ? undefined : await fill(createClient({ url: database, concurrency: 1 }));
  app.get<{ Params: { id: string } }>("/books/:id", async ({ params }) => {
    return client ? (await client.execute({ sql: QUERY, args: [params.id] })).rows[0] : BOOK;
  });
  const url = await app.listen({ port: 0 });
  closeOnSignal(app);
  sayReady("bare", url);
});

async function fill(client: Client): Promise<Client> {
  await client.execute("PRAGMA journal_mode = WAL");
  const { id, title, author, year, status, rating, version, updatedAt } = BOOK;
  await client.batch([
    `CREATE TABLE books (id TEXT PRIMARY KEY, title TEXT, author TEXT, year INTEGER, status TEXT, rating INTEGER,
      notes TEXT, version INTEGER, updated_at TEXT)`,
    ...Array.from({ length: 24 }, (_, index) => ({
      sql: `INSERT INTO books (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?)`,
      args: [index === 0 ? id : `book-${index}`, title, author, year, status, rating, version, updatedAt],
    })),
  ]);
  return client;
}
