import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { until } from "@ipc/core/testing";
import { createClient } from "@libsql/client";
import { createChangeFeed } from "../src/changes.ts";
import { connect, type Followed, SERVER_DEFAULTS } from "../src/index.ts";
import { openStore } from "../src/store.ts";
import { ask, dial, draft, sendRaw, serve, statusOf, temporaryDatabase } from "./support.ts";

const timeout = 30_000;

/** Follows over a plain socket; `text` is all that came. */
async function follow(t: TestContext, url: string, lastEventId?: number) {
  const socket: Socket = await dial(t, url);
  const seen = { text: "" };
  socket.on("data", (chunk) => {
    seen.text += String(chunk);
  });
  const header = lastEventId === undefined ? "" : `last-event-id: ${lastEventId}\r\n`;
  socket.write(`GET /changes HTTP/1.1\r\nhost: localhost\r\n${header}\r\n`);
  await until(() => /event: (ready|resumed|reset)/.test(seen.text));
  return { socket, seen };
}

test("all writes are told, in order, with the version as the event's id", { timeout }, async (t) => {
  const { url } = await serve(t);
  const { seen } = await follow(t, url);
  assert.match(seen.text, /content-type: text\/event-stream/i);
  assert.match(seen.text, /retry: \d+\nid: 0\nevent: ready\n/);
  await ask(`${url}/books`, { method: "POST", body: { ...draft("Emma"), notes: "two\nlines" } });
  await ask(`${url}/books/emma`, { method: "PATCH", body: { year: 1815 }, headers: { "if-match": "*" } });
  await ask(`${url}/books/emma`, { method: "DELETE", headers: { "if-match": "*" } });
  await until(() => seen.text.includes("deleted"));
  const changes = [...seen.text.matchAll(/id: (\d+)\nevent: change\ndata: (.+)\n\n/g)].map(([, id, data]) => {
    const change = JSON.parse(data ?? "");
    assert.equal(change.id, Number(id));
    return change;
  });
  assert.deepEqual(
    changes.map(({ kind, bookId, book }) => [kind, bookId, book?.version, book?.year]),
    [
      ["created", "emma", 1, 2001],
      ["replaced", "emma", 2, 1815],
      ["deleted", "emma", undefined, undefined],
    ],
  );
  assert.equal(changes[0].book.notes, "two\nlines");
});

test("two instances on one database tell each other's writes", { timeout }, async (t) => {
  const database = await temporaryDatabase(t);
  const [one, other] = await Promise.all([serve(t, { database }), serve(t, { database })]);
  const { seen } = await follow(t, one.url);
  const writes = Array.from({ length: 40 }, (_, index) =>
    ask(`${(index % 2 === 0 ? one : other).url}/books`, { method: "POST", body: draft(`Book ${index}`) }),
  );
  assert.ok((await Promise.all(writes)).every(({ status }) => status === 201));
  await until(() => seen.text.split("event: change").length === 41);
  const ids = [...seen.text.matchAll(/id: (\d+)\nevent: change/g)].map(([, id]) => Number(id));
  assert.deepEqual(
    ids,
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
});

test("the database is read only while somebody listens", { timeout }, async (t) => {
  const database = await temporaryDatabase(t);
  const { url, events } = await serve(t, { database });
  // Who reads a table that is not there fails, and says so.
  const client = createClient({ url: database });
  t.after(() => client.close());
  const first = await follow(t, url);
  first.socket.destroy();
  await until(() => events.some(({ type }) => type === "left"));
  await client.execute("ALTER TABLE changes RENAME TO elsewhere");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(!events.some(({ type }) => type === "failed"));

  await client.execute("ALTER TABLE elsewhere RENAME TO changes");
  const second = await follow(t, url);
  await client.execute("ALTER TABLE changes RENAME TO elsewhere");
  await until(() => events.some(({ type }) => type === "failed"));
  await client.execute("ALTER TABLE elsewhere RENAME TO changes");
  await ask(`${url}/books`, { method: "POST", body: draft("Emma") });
  await until(() => second.seen.text.includes("created"));
  assert.equal(events.filter(({ type }) => type === "failed").length, 1, "said once");
});

test("the changes are read once a turn, however many listen", { timeout }, async (t) => {
  const store = await openStore(await temporaryDatabase(t), [], false);
  t.after(() => store.close());
  let readings = 0;
  const counted = {
    ...store,
    changesAfter(id: number, limit: number) {
      readings++;
      return store.changesAfter(id, limit);
    },
  };
  const pollMs = 100;
  const feed = createChangeFeed(counted, { ...SERVER_DEFAULTS, pollMs });
  const server = createServer((_request, response) => {
    void feed.prepare(undefined).then((start) => feed.follow(response, start, {}));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  t.after(() => feed.close());
  const { port } = server.address() as AddressInfo;
  for (let count = 0; count < 10; count++) await follow(t, `http://127.0.0.1:${port}`);
  const [before, from] = [readings, performance.now()];
  await until(() => readings >= before + 5);
  const turns = (performance.now() - from) / pollMs;
  assert.ok(turns > 3.5, `5 readings in ${turns} turns`);
  assert.equal(SERVER_DEFAULTS.pollMs, 1_000);
});

test("Last-Event-ID goes on where it was; what is too long ago is a reset; what is none is refused", {
  timeout,
}, async (t) => {
  const database = await temporaryDatabase(t);
  const { url } = await serve(t, { database });
  for (const title of ["One", "Two", "Three"]) await ask(`${url}/books`, { method: "POST", body: draft(title) });
  const resumed = await follow(t, url, 1);
  await until(() => resumed.seen.text.split("event: change").length === 3);
  assert.match(resumed.seen.text, /id: 1\nevent: resumed/);
  assert.doesNotMatch(resumed.seen.text, /"bookId":"one"/);

  assert.match((await follow(t, url, 99)).seen.text, /id: 3\nevent: reset/, "of another database");
  const client = createClient({ url: database });
  t.after(() => client.close());
  await client.execute("DELETE FROM changes WHERE id < 3");
  assert.match((await follow(t, url, 1)).seen.text, /id: 3\nevent: reset/, "forgotten");
  assert.match((await follow(t, url, 2)).seen.text, /id: 2\nevent: resumed/, "not forgotten");
  for (const id of ["x", "-1", "1e3", "9".repeat(16)]) {
    const answer = await sendRaw(
      t,
      url,
      `GET /changes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nlast-event-id: ${id}\r\n\r\n`,
    );
    assert.equal(statusOf(answer), 400, id);
  }
});

test("old changes are forgotten as new ones come", { timeout }, async (t) => {
  const database = await temporaryDatabase(t);
  const { url } = await serve(t, { database });
  const client = createClient({ url: database });
  t.after(() => client.close());
  await ask(`${url}/books`, { method: "POST", body: draft("Old") });
  await client.execute("INSERT INTO changes (id, kind, book_id) VALUES (20000, 'deleted', 'x')");
  await ask(`${url}/books`, { method: "POST", body: draft("New") });
  const { rows } = await client.execute("SELECT id FROM changes ORDER BY id");
  assert.deepEqual(
    rows.map(({ id }) => id),
    [20_000, 20_001],
  );
});

test("heartbeats are comments; above maxWatchers there is 503; a follower who leaves makes room", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { maxWatchers: 1, heartbeatMs: 20 });
  const first = await follow(t, url);
  await until(() => first.seen.text.split("\n:\n").length > 2);
  const refused = await ask(`${url}/changes`);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  first.socket.destroy();
  for (;;) {
    const answer = await fetch(`${url}/changes`);
    await answer.body?.cancel();
    if (answer.status === 200) break;
    assert.equal(answer.status, 503);
  }
});

test("close() ends the streams at once", { timeout }, async (t) => {
  const { url, server } = await serve(t, { graceMs: 20_000 });
  const { socket, seen } = await follow(t, url);
  const ended = once(socket, "end");
  const begun = performance.now();
  await server.close();
  await ended;
  assert.ok(performance.now() - begun < 5_000);
  assert.match(seen.text, /\r\n0\r\n\r\n$/, "a whole answer, not a cut one");
});

test("the client follows through a restart of the server, and misses nothing", { timeout }, async (t) => {
  const database = await temporaryDatabase(t);
  const first = await serve(t, { database });
  const client = await connect(first.url);
  t.after(() => client.close());
  const heard: Followed[] = [];
  const stop = new AbortController();
  const following = (async () => {
    for await (const event of client.follow({ signal: stop.signal })) heard.push(event);
  })();
  await until(() => heard.length === 1);
  await client.create(draft("Before"));
  await until(() => heard.length === 2);
  await first.server.close();

  const between = await serve(t, { database });
  await ask(`${between.url}/books`, { method: "POST", body: draft("Between") });
  await between.server.close();
  await serve(t, { database, port: Number(new URL(first.url).port) });
  await client.create(draft("After"));
  await until(() => heard.length === 4);
  stop.abort();
  await following;
  assert.deepEqual(
    heard.map((event) => (event.type === "change" ? event.change.bookId : event.type)),
    ["ready", "before", "between", "after"],
  );
});
