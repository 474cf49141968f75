import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, startServer } from "../src/index.ts";
import { ask, bin, dial, draft, freeUrl, sendRaw, serve, statusOf, temporaryDatabase } from "./support.ts";

const timeout = 60_000;

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const { url } = await serve(t);
  const body = JSON.stringify(draft("Émile 🙂"));
  const head = `PUT /books/x HTTP/1.1\r\nhost: localhost\r\nif-match: *\r\ncontent-type: application/json\r\n`;
  const put = Buffer.from(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  const get = Buffer.from("GET /books/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
  await ask(`${url}/books/x`, { method: "PUT", body: draft("x"), headers: { "if-none-match": "*" } });
  const wire = Buffer.concat([put, get]);
  for (let cut = 1; cut < wire.length; cut++) {
    const socket = await dial(t, url);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.write(wire.subarray(0, cut));
    // Sent apart for certain: the first part has left before the second is written.
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(wire.subarray(cut));
    await once(socket, "end");
    const answers = Buffer.concat(chunks).toString();
    assert.equal(answers.match(/HTTP\/1\.1 200 OK/g)?.length, 2, `cut at byte ${cut}: ${answers}`);
    assert.equal(answers.match(/Émile 🙂/g)?.length, 2, "what was written first is read then");
  }
  t.diagnostic(`2 requests glued, and cut at each of ${wire.length} bytes: both answered`);
});

test("a message is too large", { timeout }, async (t) => {
  const { url } = await serve(t, { firstBooks: [{ id: "emma", ...draft("Emma") }] });
  const client = await connect(url);
  t.after(() => client.close());
  const large = JSON.stringify({ ...draft("Large"), notes: "x".repeat(65_536) });
  const head = "POST /books HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
  // Announced, and not even sent.
  const announced = await sendRaw(t, url, `${head}content-length: 65537\r\n\r\n`);
  const chunk = `${(32_768).toString(16)}\r\n${"x".repeat(32_768)}\r\n`;
  const chunked = await sendRaw(t, url, `${head}transfer-encoding: chunked\r\n\r\n${chunk}${chunk}${chunk}`);
  for (const answer of [announced, chunked]) {
    assert.equal(statusOf(answer), 413);
    assert.match(answer, /"detail":"The body is above 65536 bytes"/);
  }
  assert.equal((await ask(`${url}/books`, { method: "POST", body: large })).status, 413);
  assert.equal((await client.get("emma")).title, "Emma");
  t.diagnostic("413 above 64 KiB, connection closed; announced ones before they are sent");
});

test("a message is malformed", { timeout }, async (t) => {
  const { url, events } = await serve(t, { firstBooks: [{ id: "emma", ...draft("Emma") }] });
  const client = await connect(url);
  t.after(() => client.close());
  const vectors = ["{", "", "[]", '{"title":1}', '{"a":1,"a":2}', '{"__proto__":{}}', "\u0000", "nul"];
  for (const body of vectors) {
    const reply = await ask(`${url}/books`, { method: "POST", body, headers: { "content-type": "application/json" } });
    assert.equal(reply.status, 400, body);
    assert.equal(reply.headers.get("content-type"), "application/problem+json");
  }
  const rounds = 100;
  for (let round = 0; round < rounds; round++) {
    const answer = await sendRaw(t, url, `\u0001${round} noise\r\n\r\n`);
    assert.equal(statusOf(answer), 400);
    assert.match(answer, /content-type: application\/problem\+json/);
  }
  assert.equal(events.filter(({ type }) => type === "refused").length, rounds, "told once each");
  assert.equal((await client.get("emma")).title, "Emma");
  t.diagnostic("400 as problem+json, connection closed if no HTTP; told once");
});

test("the reader is slow", { timeout }, async (t) => {
  const database = await temporaryDatabase(t);
  const limits = ["--rate-limit", "0", "--poll-ms", "50", "--idle-timeout-ms", "1000"];
  const args = ["--port", "0", "--database", database, ...limits];
  const server = startProgram(bin("server"), args);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const client = await connect(url);
  t.after(() => client.close());
  const socket = await dial(t, url);
  socket.write("GET /changes HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await once(socket, "readable");
  await client.list();
  const idleMib = residentMib(server.pid);

  const notes = "漢".repeat(2_000);
  let books = 0;
  const isDropped = () =>
    server.output.some((line) => /dropped: \d+ bytes of changes are not read, limit is 1048576/.test(line));
  async function write() {
    while (!isDropped() && books < 20_000) await client.create({ ...draft(`Book ${++books}`), notes });
  }
  await Promise.all(Array.from({ length: 20 }, write));
  assert.ok(isDropped(), `not dropped after ${books} books`);
  const grownMib = (residentMib(server.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(grownMib < 96, `grew by ${grownMib} MiB`);
  assert.equal((await client.list({ limit: 1 })).books.length, 1);

  // 4,000 pages of 0.6 MB are asked for, and none is read.
  await client.close();
  const greedy = await Promise.all(Array.from({ length: 4 }, () => dial(t, url)));
  for (const one of greedy) {
    one.write("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(one, "readable");
  }
  const connected = countSockets(server.pid);
  for (const one of greedy) one.write("GET /books?limit=100 HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1_000));
  await until(() => countSockets(server.pid) <= Math.max(0, connected - 4));
  const peakMib = (residentMib(server.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(peakMib < 160, `grew by ${peakMib} MiB`);
  const megabytes = ((books * 6_200) / 1e6).toFixed(0);
  t.diagnostic(`a follower is dropped at 1 MiB unread, after ${megabytes} MB of changes`);
});

/** How many sockets a process has open; 0 where there is no `/proc`. */
function countSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).filter((name) => isSocket(`${folder}/${name}`)).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch {
    // Closed since it was listed.
    return false;
  }
}

test("the peer is killed", { timeout }, async (t) => {
  const { url, events } = await serve(t, { firstBooks: [{ id: "emma", ...draft("Emma") }] });
  const client = await connect(url);
  t.after(() => client.close());
  const victim = startProgram(new URL("fixtures/follower.ts", import.meta.url), [url]);
  t.after(() => victim.stop("SIGKILL"));
  await victim.waitForLine(/ready/);
  const half = await dial(t, url);
  half.write(
    "POST /books HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
  );
  const killedAt = performance.now();
  half.destroy();
  await victim.stop("SIGKILL");
  await until(() => events.some(({ type }) => type === "left"), 5);
  const noticedMs = performance.now() - killedAt;
  assert.ok(noticedMs < 2_000, `noticed after ${noticedMs} ms`);
  assert.equal((await client.get("emma")).title, "Emma");
  assert.equal((await client.list()).books.length, 1, "half a book is none");
  t.diagnostic(`noticed after ${noticedMs.toFixed(0)} ms, others go on`);
});

test("the peer goes silent", { timeout }, async (t) => {
  // Starts while the others wait.
  const stopped = startProgram(bin("server"), ["--port", "0", "--database", ":memory:"]);
  t.after(() => stopped.stop("SIGKILL"));
  const { url } = await serve(t, { headersTimeoutMs: 300, requestTimeoutMs: 600, idleTimeoutMs: 1_000 });
  const slow = await dial(t, url);
  const head = "POST /books HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
  const [inHeaders, inBody] = await Promise.all([
    sendRaw(t, url, head),
    sendRaw(t, url, `${head}content-length: 99\r\n\r\n{`),
    // Nothing at all.
    once(slow.resume(), "close"),
  ]);
  assert.deepEqual([statusOf(inHeaders), statusOf(inBody)], [408, 408]);

  const client = await connect(await stopped.ready, { timeoutMs: 300 });
  t.after(() => client.close());
  process.kill(stopped.pid, "SIGSTOP");
  const askedAt = performance.now();
  await assert.rejects(client.get("emma"), { code: "ETIMEDOUT" });
  const waitedMs = performance.now() - askedAt;
  assert.ok(waitedMs < 1_500, `gave up after ${waitedMs} ms`);
  process.kill(stopped.pid, "SIGCONT");
  await until(() => stopped.output.length > 0);
  t.diagnostic(`server: 408 after its timeouts; client: ${waitedMs.toFixed(0)} ms at timeoutMs 300`);
});

test("the client starts first", { timeout }, async (t) => {
  const url = await freeUrl();
  let waits = 0;
  const connecting = connect(url, {
    onEvent: ({ type }) => {
      if (type === "waiting") waits++;
    },
  });
  await until(() => waits === 1);
  const startedAt = performance.now();
  await serve(t, { port: Number(new URL(url).port) });
  const client = await connecting;
  t.after(() => client.close());
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 3_000, `connected ${waitedMs} ms after the server was there`);
  assert.equal(waits, 1, "says once that it waits");
  assert.deepEqual((await client.list()).books, []);
  t.diagnostic(`waits, connected ${waitedMs.toFixed(0)} ms after the server was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const database = await temporaryDatabase(t);
  const port = new URL(await freeUrl()).port;
  const start = () => startProgram(bin("server"), ["--port", port, "--database", database]);
  const first = start();
  t.after(() => first.stop("SIGKILL"));
  // A loaded machine takes seconds to start a program.
  const client = await connect(await first.ready, { timeoutMs: 20_000 });
  t.after(() => client.close());
  const heard: string[] = [];
  const following = (async () => {
    for await (const event of client.follow()) heard.push(event.type === "change" ? event.change.bookId : event.type);
  })();
  await until(() => heard.length === 1);
  const acknowledged = await client.create(draft("Acknowledged"));
  await first.stop("SIGKILL");

  const asked = client.get("acknowledged");
  const startedAt = performance.now();
  const second = start();
  t.after(() => second.stop("SIGKILL"));
  assert.deepEqual(await asked, acknowledged);
  const backMs = performance.now() - startedAt;
  await client.create(draft("After"));
  await until(() => heard.includes("after"));
  assert.deepEqual(heard, ["ready", "acknowledged", "after"]);
  await client.close();
  await following;
  t.diagnostic(`reads wait, answered after ${backMs.toFixed(0)} ms; writes in flight: ECONNRESET; no change is missed`);
});

test("the port is taken", { timeout }, async (t) => {
  const { url } = await serve(t);
  const { port } = new URL(url);
  const second = startProgram(bin("server"), ["--port", port, "--database", ":memory:"]);
  t.after(() => second.stop("SIGKILL"));
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.deepEqual(second.output, []);
  assert.deepEqual(second.errors, [`Cannot listen on ${url}: the port is taken. Try --port 0`]);
  t.diagnostic("one line, exit code 1");
});

test("it is told to stop", { timeout }, async (t) => {
  const database = await temporaryDatabase(t);
  const env = { DATABASE_URL: database };
  const server = startProgram(bin("server"), ["--port", "0", "--rate-limit", "0"], { env });
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  assert.equal(server.output[0], `rest-api listening on ${url}`);
  const acknowledged: string[] = [];
  const failures = new Set<string>();
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(url, { waitMs: 0, timeoutMs: 1_000 })));
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const load = clients.map(async (client, who) => {
    for (let count = 0; ; count++) {
      try {
        acknowledged.push((await client.create(draft("Load"), `load-${who}-${count}`)).id);
      } catch (error) {
        failures.add(String((error as { code?: string }).code));
        return;
      }
    }
  });
  await until(() => acknowledged.length > 200);
  const toldAt = performance.now();
  const { code } = await server.stop("SIGTERM");
  const tookMs = performance.now() - toldAt;
  await Promise.all(load);
  assert.equal(code, 0);
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  const after = await startServer({ database, rateLimit: 0 });
  t.after(() => after.close());
  const found = await Promise.all(acknowledged.map((id) => ask(`${after.url}/books/${id}`)));
  assert.ok(
    found.every(({ status }) => status === 200),
    "what was acknowledged is there",
  );
  for (const failure of failures) assert.match(failure, /^(ECONNRESET|ECONNREFUSED|ETIMEDOUT)$/);
  t.diagnostic(
    `${acknowledged.length} of ${acknowledged.length} acknowledged are there; exit 0 after ${tookMs.toFixed(0)} ms`,
  );
});

test("two clients at once", { timeout }, async (t) => {
  const { url } = await serve(t, { firstBooks: [{ id: "emma", ...draft("Emma") }] });
  // 50 that have begun a request, and do not go on.
  for (let i = 0; i < 50; i++) {
    const slow = await dial(t, url);
    slow.write("GET /books HTTP/1.1\r\nhost: loc");
  }
  const [one, two] = await Promise.all([connect(url), connect(url)]);
  t.after(() => Promise.all([one.close(), two.close()]));
  const asked = performance.now();
  for (let i = 0; i < 50; i++) await Promise.all([one.get("emma"), two.get("emma")]);
  const tookMs = performance.now() - asked;
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
  t.diagnostic(`${tookMs.toFixed(0)} ms for 100 requests beside 50 that are stuck`);
});
