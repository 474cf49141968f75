import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram } from "@ipc/core/child";
import { residentMib, signalled, until } from "@ipc/core/testing";
import { type CallContext, connect, METHODS } from "../src/index.ts";
import { bin, dial, fixture, freeUrls, open, portOf, post, receive, sendLines, serve } from "./support.ts";

const timeout = 20_000;
const PROTOCOLS = ["http", "tcp"] as const;
const call = (method: string, params: unknown, id = 1) => JSON.stringify({ jsonrpc: "2.0", method, params, id });
const result = (value: unknown, id = 1) => JSON.stringify({ jsonrpc: "2.0", id, result: value });
const PARSE_ERROR = '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}';

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const { http, tcp } = await serve(t);
  const values = ["one", "é — 漢 🙂"];
  const wire = Buffer.from(values.map((value, id) => `${call("echo", [value], id)}\n`).join(""));
  const answers = values.map((value, id) => `${result(value, id)}\n`).join("");
  const body = Buffer.from(call("echo", values.slice(1)));
  const head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
  const request = Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
  for (let cut = 0; cut <= request.length; cut++) {
    const [line, post] = await Promise.all([dial(t, tcp), dial(t, http)]);
    line.write(wire.subarray(0, cut));
    post.write(request.subarray(0, cut));
    // Sent apart for certain: the first part has left before the second is written.
    await new Promise((resolve) => setImmediate(resolve));
    line.end(wire.subarray(cut));
    post.write(request.subarray(cut));
    assert.equal(String(await receive(line)), answers, `TCP, cut at byte ${cut}`);
    assert.ok(String(await receive(post)).endsWith(`\r\n\r\n${result(values[1])}`), `HTTP, cut at byte ${cut}`);
  }
  t.diagnostic(`lines glued, lines and POSTs cut at each of ${request.length} bytes: all answered`);
});

test("a message is too large", { timeout }, async (t) => {
  const { http, tcp } = await serve(t);
  const others = await Promise.all([open(t, http), open(t, tcp)]);
  const padded = (bytes: number) => call("echo", [1]).padEnd(bytes);
  assert.equal((await post(http, padded(1_048_576))).text, result(1));
  assert.equal((await post(http, padded(1_048_577))).status, 413);
  assert.deepEqual(await sendLines(t, tcp, padded(1_048_576)), [result(1)]);

  const socket = await dial(t, tcp);
  const answers = receive(socket);
  socket.write(`${call("echo", ["before"])}\n`);
  socket.write(" ".repeat(1_048_577));
  const [before, refused = ""] = String(await answers).split("\n");
  assert.equal(before, result("before"), "what came before is answered");
  assert.equal(JSON.parse(refused).error.code, -32600);
  for (const other of others) {
    await assert.rejects(other.call("echo", ["x".repeat(1_048_577)]), { code: "ERR_FRAME_TOO_LARGE" });
    assert.equal(await other.call("echo", ["still here"]), "still here");
  }
  t.diagnostic("above 1 MiB: HTTP 413, TCP -32600 and closed; our client does not send it");
});

test("a message is malformed", { timeout }, async (t) => {
  const { http, tcp, events } = await serve(t);
  const others = await Promise.all([open(t, http), open(t, tcp)]);
  const times = 200;
  for (let count = 0; count < times; count++) {
    const { status, text } = await post(http, '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]');
    assert.deepEqual([status, text], [200, PARSE_ERROR]);
    assert.deepEqual(await sendLines(t, tcp, '{"jsonrpc": ', call("echo", ["not run"])), [PARSE_ERROR]);
  }
  const told = (type: string) => events.filter((event) => event.type === type).length;
  await until(() => told("dropped") >= times);
  assert.deepEqual([told("rejected"), told("dropped")], [times, times], "told once each");
  for (const other of others) assert.equal(await other.call("echo", ["still here"]), "still here");
  t.diagnostic(`-32700, the TCP connection is closed; told once: ${told("dropped")} of ${times}`);
});

test("the reader is slow", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const http = await server.ready;
  const tcp = (await server.waitForLine(/tcp:/)).split(" ").at(-1) ?? "";
  const other = await open(t, http);
  await other.call("echo", ["warm"]);
  for (let warm = 0; warm < 20; warm++) await other.call("echo", ["x".repeat(65_536)]);
  const idleMib = residentMib(server.pid);

  const socket = await dial(t, tcp);
  socket.pause();
  const line = `${call("echo", ["x".repeat(65_536)])}\n`;
  const offered = 100_000_000;
  for (let sent = 0; sent < offered; sent += line.length) socket.write(line);
  // It stalls: for half a second the system takes no more.
  let taken = -1;
  await until(() => {
    const now = socket.bytesWritten - socket.writableLength;
    const isStalled = now === taken;
    taken = now;
    return isStalled;
  }, 500);

  assert.ok(taken < 32_000_000, `the server took ${taken} of ${offered} bytes`);
  assert.equal(await other.call("echo", ["still here"]), "still here");
  const grownMib = (residentMib(server.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(grownMib < 32, `grew by ${grownMib} MiB`);
  const held = idleMib === undefined ? "" : `, server grows by ${grownMib.toFixed(1)} MiB (bound: 32)`;
  t.diagnostic(`100 MB of calls: stalls after ${(taken / 1e6).toFixed(1)} MB${held}`);
});

test("the peer is killed", { timeout }, async (t) => {
  const stopped = signalled();
  const begun = signalled();
  const methods = {
    ...METHODS,
    async wait(_params: unknown, { signal }: CallContext) {
      begun.resolve();
      await sleep(60_000, undefined, { signal, ref: false }).catch(stopped.resolve);
    },
  };
  const { http, tcp, told } = await serve(t, { methods });
  const other = await open(t, tcp);
  const noticed: number[] = [];
  for (const [url, hasBegun, notice] of [
    [http, begun.promise, stopped.promise],
    [tcp, told("connected"), told("dropped")],
  ] as const) {
    const victim = startProgram(fixture("caller"), [url]);
    t.after(() => victim.stop("SIGKILL"));
    await victim.waitForLine(/sent/);
    await hasBegun;
    const killedAt = performance.now();
    await victim.stop("SIGKILL");
    await notice;
    noticed.push(performance.now() - killedAt);
  }
  assert.ok(Math.max(...noticed) < 1_000, `noticed after ${noticed} ms`);
  assert.equal(await other.call("echo", ["still here"]), "still here");
  const [httpMs, tcpMs] = noticed.map((ms) => ms.toFixed(0));
  t.diagnostic(`HTTP: its call is cancelled after ${httpMs} ms; TCP: noticed after ${tcpMs} ms`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const { http, tcp, events } = await serve(t, { frameTimeoutMs: 200, idleTimeoutMs: 400, headersTimeoutMs: 200 });
  const dripping = await dial(t, tcp);
  dripping.write('{"jsonrpc"');
  const mute = await dial(t, tcp);
  const headers = await dial(t, http);
  headers.write("POST / HTTP/1.1\r\n");
  const [, , answer] = await Promise.all([receive(dripping), receive(mute), receive(headers)]);
  const errors = events.flatMap((event) => (event.type === "dropped" ? [event.error.message] : []));
  assert.deepEqual(errors.sort(), [
    "Cannot keep connection: nothing moved for 400 ms",
    "Cannot read frame: it was not whole after 200 ms",
  ]);
  // Whichever of its two limits comes first: that of the headers answers before it closes.
  assert.match(String(answer), /^$|^HTTP\/1\.1 408 /);

  const stopped = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => stopped.stop("SIGKILL"));
  const urls = [await stopped.ready, (await stopped.waitForLine(/tcp:/)).split(" ").at(-1) ?? ""];
  const clients = await Promise.all(urls.map((url) => open(t, url, { timeoutMs: 300 })));
  await Promise.all(clients.map((client) => client.call("echo", ["warm"], { timeoutMs: 5_000 })));
  process.kill(stopped.pid, "SIGSTOP");
  const waited = await Promise.all(
    clients.map(async (client) => {
      const askedAt = performance.now();
      await assert.rejects(client.call("echo", ["anybody?"]), { code: "ETIMEDOUT" });
      return performance.now() - askedAt;
    }),
  );
  assert.ok(Math.max(...waited) < 1_300, `gave up after ${waited} ms`);
  process.kill(stopped.pid, "SIGCONT");
  for (const client of clients) assert.equal(await client.call("echo", ["again"], { timeoutMs: 5_000 }), "again");
  const shown = Math.max(...waited).toFixed(0);
  t.diagnostic(`client: after ${shown} ms at timeoutMs 300; server: frameTimeoutMs, idleTimeoutMs, headersTimeoutMs`);
});

test("the client starts first", { timeout }, async (t) => {
  const urls = await freeUrls();
  let waits = 0;
  const connecting = urls.map((url) =>
    connect(url, {
      onEvent({ type }) {
        if (type === "waiting") waits++;
      },
    }),
  );
  await until(() => waits === 2);
  const startedAt = performance.now();
  await serve(t, { port: portOf(urls[0]), tcpPort: portOf(urls[1]) });
  const clients = await Promise.all(connecting);
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 2_000, `connected ${waitedMs} ms after the server was there`);
  for (const client of clients) assert.equal(await client.call("echo", ["at last"]), "at last");
  assert.equal(waits, 2, "each says once that it waits");
  t.diagnostic(`waits, connected ${waitedMs.toFixed(0)} ms after the server was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const first = await serve(t, { graceMs: 0 });
  const clients = await Promise.all([open(t, first.http), open(t, first.tcp)]);
  // Warm, so that the call that follows is on its way when its connection ends.
  await Promise.all(clients.map((client) => client.call("echo", ["warm"])));
  const lost = clients.map((client) => assert.rejects(client.call("slow", [10_000]), { code: "ECONNRESET" }));
  await Promise.all(clients.map((client) => client.call("echo", ["behind it"])));
  await first.server.close();
  await Promise.all(lost);

  const next = clients.map((client) => client.call("echo", ["next"]));
  const restartedAt = performance.now();
  await serve(t, { port: portOf(first.http), tcpPort: portOf(first.tcp) });
  assert.deepEqual(await Promise.all(next), ["next", "next"]);
  const backMs = performance.now() - restartedAt;
  assert.ok(backMs < 2_000, `back after ${backMs} ms`);
  t.diagnostic(
    `in flight: ECONNRESET, done or not unknown; the next reconnects, answered after ${backMs.toFixed(0)} ms`,
  );
});

test("the port is taken", { timeout }, async (t) => {
  const { http, tcp } = await serve(t);
  const taken = [
    [["--port", `${portOf(http)}`, "--tcp-port", "0"], http],
    [["--port", "0", "--tcp-port", `${portOf(tcp)}`], tcp],
  ] as const;
  const seconds = taken.map(([args, url]) => ({ url, second: startProgram(bin("server"), args) }));
  t.after(() => Promise.all(seconds.map(({ second }) => second.stop("SIGKILL"))));
  for (const { url, second } of seconds) {
    assert.deepEqual(await second.exited, { code: 1, signal: null });
    assert.deepEqual(second.output, []);
    assert.deepEqual(second.errors, [`Cannot listen on ${url}: the port is taken. Try --port 0`]);
  }
  t.diagnostic("one line, exit code 1, for either of its ports");
});

test("it is told to stop", { timeout }, async (t) => {
  const server = startProgram(fixture("counting-server"));
  t.after(() => server.stop("SIGKILL"));
  const urls = [await server.ready, (await server.waitForLine(/tcp:/)).split(" ").at(-1) ?? ""];
  let answered = 0;
  let unanswered = 0;
  const clients = await Promise.all(
    PROTOCOLS.flatMap((_protocol, index) =>
      Array.from({ length: 10 }, () => connect(urls[index] ?? "", { waitMs: 0 })),
    ),
  );
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const load = clients.map(async (client) => {
    for (;;) {
      const calls = Array.from({ length: 10 }, () => client.call("work", [], { timeoutMs: 15_000 }));
      const results = await Promise.allSettled(calls);
      const fulfilled = results.filter(({ status }) => status === "fulfilled").length;
      answered += fulfilled;
      unanswered += results.length - fulfilled;
      if (fulfilled < results.length) return;
    }
  });
  await until(() => answered > 400);
  const toldAt = performance.now();
  const { code } = await server.stop("SIGTERM");
  const tookMs = performance.now() - toldAt;
  // What finds nobody there any more would wait for a new server.
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all(load);
  const begun = Number(/begun (\d+)/.exec(server.output.join())?.[1]);
  assert.equal(code, 0, server.errors.join());
  assert.equal(answered, begun, "what was begun is answered");
  assert.ok(unanswered > 0, "it was told to stop with calls in flight");
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  t.diagnostic(`${answered} answered of ${begun} begun, the rest rejects; exit 0 after ${tookMs.toFixed(0)} ms`);
});

test("two clients at once", { timeout }, async (t) => {
  let release = (_result: string) => {};
  const methods = {
    ...METHODS,
    stuck: () =>
      new Promise((resolve) => {
        release = resolve;
      }),
  };
  const { http, tcp } = await serve(t, { methods });
  const [slow, quickHttp, quickTcp] = await Promise.all([open(t, tcp), open(t, http), open(t, tcp)]);
  const waiting = slow.call("stuck");
  const asked = performance.now();
  // Not even calls of the same connection wait for each other.
  for (const client of [slow, quickHttp, quickTcp]) {
    for (let count = 0; count < 100; count++) assert.equal(await client.call("echo", [count]), count);
  }
  const quickMs = performance.now() - asked;
  release("done");
  assert.equal(await waiting, "done");
  t.diagnostic(`${quickMs.toFixed(0)} ms for 300 calls beside one that is stuck`);
});
