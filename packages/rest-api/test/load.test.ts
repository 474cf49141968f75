import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test, { describe, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { startProgram } from "@ipc/core/child";
import { createClient } from "@libsql/client";
import { type Client, connect } from "../src/index.ts";
import { ask, bin, dial, draft, serve, temporaryDatabase } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 500_000 : 120_000;

describe("under load", { concurrency: isHeavy ? 1 : 2 }, () => {
  test("what was answered 201 survives SIGKILL during writes, round after round", { timeout }, async (t) => {
    const database = await temporaryDatabase(t);
    const rounds = isHeavy ? 20 : 2;
    const acknowledged: string[] = [];
    // Two at a time: one goes on writing while the other is killed.
    async function lane(first: number) {
      for (let round = first; round < rounds; round += 2) {
        const server = startProgram(bin("server"), ["--port", "0", "--rate-limit", "0", "--database", database]);
        t.after(() => server.stop("SIGKILL"));
        const client = await connect(await server.ready, { timeoutMs: 5_000 });
        t.after(() => client.close());
        const mine: string[] = [];
        const writers = Array.from({ length: 10 }, (_, who) => writeUntilCut(client, `round-${round}-${who}`, mine));
        while (mine.length < 20 + round) await sleep(1);
        await server.stop("SIGKILL");
        // It would ask again for seconds: nobody comes back there.
        await Promise.all([client.close(), ...writers]);
        acknowledged.push(...mine);
      }
    }
    await Promise.all([lane(0), lane(1)]);
    const { url } = await serve(t, { database });
    for (let from = 0; from < acknowledged.length; from += 100) {
      const found = await Promise.all(acknowledged.slice(from, from + 100).map((id) => ask(`${url}/books/${id}`)));
      assert.ok(found.every(({ status }) => status === 200));
    }
    t.diagnostic(`${acknowledged.length} acknowledged in ${rounds} rounds, none lost`);
  });

  async function writeUntilCut(client: Client, name: string, acknowledged: string[]) {
    for (let count = 0; ; count++) {
      try {
        acknowledged.push((await client.create(draft(name), `${name}-${count}`)).id);
      } catch (error) {
        assert.match(String((error as { code?: string }).code), /^(ECONNRESET|ECONNREFUSED|ETIMEDOUT|EPIPE)$/);
        return;
      }
    }
  }

  test("books created under ids of one's own, through five restarts: each once", { timeout }, async (t) => {
    const database = await temporaryDatabase(t);
    let instance = await serve(t, { database, graceMs: 0 });
    const port = Number(new URL(instance.url).port);
    const client = await connect(instance.url, { maxConnections: 20, timeoutMs: 20_000 });
    t.after(() => client.close());
    const count = isHeavy ? 1_000 : 200;
    let next = 0;
    let cuts = 0;
    async function write() {
      while (next < count) {
        const id = `book-${next++}`;
        for (let isWritten = false; !isWritten; ) isWritten = await createOnce(id);
      }
    }
    async function createOnce(id: string): Promise<boolean> {
      try {
        await client.create(draft(id), id);
      } catch (error) {
        const { code } = error as { code?: string };
        // It is there: the answer was lost, the book was not.
        if (code === "ERR_CONFLICT") return true;
        assert.ok(code === "ECONNRESET" || code === "ERR_UNAVAILABLE", code);
        cuts++;
        return false;
      }
      return true;
    }
    const writing = Promise.all(Array.from({ length: 20 }, write));
    for (let restart = 1; restart <= 5; restart++) {
      while (next < (restart * count) / 6) await sleep(1);
      await instance.server.close();
      instance = await serve(t, { database, port, graceMs: 0 });
    }
    await writing;
    const ids = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = await client.list({ limit: 100, cursor });
      for (const { id } of page.books) ids.add(id);
      cursor = page.next;
    } while (cursor !== undefined);
    const { rows } = await readChanges(t, database);
    assert.deepEqual([ids.size, rows.length], [count, count]);
    t.diagnostic(`${count} books, ${cuts} answers lost on the way`);
  });

  function readChanges(t: TestContext, url: string) {
    const database = createClient({ url });
    t.after(() => database.close());
    return database.execute("SELECT id FROM changes");
  }

  test("out of file descriptors: the server survives and serves again", { timeout }, async (t) => {
    const database = await temporaryDatabase(t);
    const server = startProgram(bin("server"), ["--port", "0", "--database", database]);
    t.after(() => server.stop("SIGKILL"));
    const url = await server.ready;
    await ask(`${url}/`);
    // Only now: the modules are read many at a time.
    const limit = promisify(execFile)("prlimit", ["--pid", String(server.pid), "--nofile=64"]);
    const isLimited = await limit.catch(() => undefined);
    if (!isLimited) return t.skip("needs prlimit: it sets the limit of open files");
    const sockets = await Promise.all(Array.from({ length: 300 }, () => dial(t, url)));
    for (const socket of sockets) socket.destroy();
    const client = await connect(url);
    t.after(() => client.close());
    assert.equal((await client.get("emma")).title, "Emma");
    assert.equal((await client.create(draft("After"))).id, "after");
    assert.match((await ask(`${url}/`)).body, /<title>/);
  });

  test("100 connections with mixed load, on two instances of one database: not one error", { timeout }, async (t) => {
    const database = await temporaryDatabase(t);
    const servers = [0, 1].map(() =>
      startProgram(bin("server"), ["--port", "0", "--rate-limit", "0", "--database", database]),
    );
    t.after(() => Promise.all(servers.map((server) => server.stop("SIGKILL"))));
    const urls = await Promise.all(servers.map(({ ready }) => ready));
    const clients = await Promise.all(urls.map((url) => connect(url, { maxConnections: 50, timeoutMs: 20_000 })));
    t.after(() => Promise.all(clients.map((client) => client.close())));
    const until = performance.now() + (isHeavy ? 30_000 : 1_000);
    let requests = 0;
    async function work(client: Client, who: number) {
      for (let count = 0; performance.now() < until; count++) {
        const book = await client.create(draft(`Load ${who}`), `load-${who}-${count}`);
        await client.list({ q: "load", limit: 10 });
        const changed = await client.patch(await client.get(book.id), { rating: 3 });
        if (count % 2 === 0) await client.remove(changed);
        requests += 5;
      }
    }
    await Promise.all(Array.from({ length: 100 }, (_, who) => work(clients[who % 2] as Client, who)));
    assert.ok(requests > 100);
    t.diagnostic(`${requests} requests, 0 errors`);
  });

  test("hundreds of slow clients are cut off and hold up nobody", { timeout }, async (t) => {
    const quick = { headersTimeoutMs: 300, requestTimeoutMs: 400 };
    const { url } = await serve(t, { firstBooks: [{ id: "emma", ...draft("Emma") }], ...(isHeavy ? {} : quick) });
    const count = isHeavy ? 500 : 200;
    const head = "POST /books HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    const begun = performance.now();
    const slow = Array.from({ length: count }, async (_, index) => {
      const socket = await dial(t, url);
      // A byte now and then: of the headers, or of the body.
      const bytes = index % 2 === 0 ? head : `${head}content-length: 500\r\n\r\n`;
      if (index % 2 === 1) socket.write(bytes);
      let at = 0;
      const drip = setInterval(() => socket.write(index % 2 === 0 ? (head[at++] ?? "x") : "x"), isHeavy ? 1_000 : 100);
      socket.resume();
      await new Promise((resolve) => socket.once("close", resolve));
      clearInterval(drip);
    });
    let isOver = false;
    const all = Promise.all(slow).finally(() => {
      isOver = true;
    });
    let slowestMs = 0;
    while (!isOver) {
      const asked = performance.now();
      assert.equal((await ask(`${url}/books/emma`)).status, 200);
      slowestMs = Math.max(slowestMs, performance.now() - asked);
      await sleep(50);
    }
    await all;
    const tookMs = performance.now() - begun;
    assert.ok(tookMs < 10_000, `the last was cut off after ${tookMs} ms`);
    assert.ok(slowestMs < 3_000, `somebody waited for ${slowestMs} ms`);
    t.diagnostic(
      `${count} cut off within ${(tookMs / 1_000).toFixed(1)} s; others waited ${slowestMs.toFixed(0)} ms at most`,
    );
  });

  test("a thousand followers who leave without a word leave nothing behind", { timeout }, async (t) => {
    const { url, events } = await serve(t);
    const count = isHeavy ? 1_000 : 300;
    for (let begun = 0; begun < count; begun += 100) {
      const sockets = await Promise.all(Array.from({ length: 100 }, () => dial(t, url)));
      for (const socket of sockets) socket.write("GET /changes HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("data", resolve))));
      for (const socket of sockets) socket.destroy();
    }
    const left = () => events.filter(({ type }) => type === "left").length;
    while (left() < count) await sleep(10);
    assert.equal(left(), events.filter(({ type }) => type === "following").length);
  });
});
