import assert from "node:assert/strict";
import { appendFile, readFile, truncate, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import test from "node:test";
import { until } from "@ipc/core/testing";
import { connect, type RelayOptions, startRelay, startSink } from "../src/index.ts";
import { createPoster } from "../src/poster.ts";
import { createTurnWriter } from "../src/turn-writer.ts";
import {
  ask,
  dial,
  dialTcp,
  EXAMPLE,
  freeUrl,
  postOnce,
  postsIn,
  recordFile,
  SINK_TOKEN,
  serveHttp,
  serveRelay,
  serveSink,
  serveTcp,
  statusOf,
  TOKEN,
  wire,
} from "./support.ts";

const timeout = 60_000;

test("a post goes through the relay to the sink, and the sink's answer comes back", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const relay = await serveRelay(t, sink.url);
  const client = await dial(t, relay.url);
  const { status, body } = await client.post(EXAMPLE);
  const [post, ...more] = await sink.posts();
  assert.equal(status, 200);
  assert.deepEqual(body, { recorded: post?.at });
  assert.equal(post?.body, '{"one":1,"two":2}');
  assert.match(post?.key ?? "", /^[\da-f-]{36}$/, "our client sends a key by default");
  assert.deepEqual(more, []);
  assert.deepEqual(
    relay.events.map(({ type }) => type),
    ["connected", "passed"],
  );
});

test("a body arrives byte for byte, whatever JSON it is", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  const bodies = [
    '{ "spaces" :\n [1 ,2] }\n',
    "null",
    '""',
    '"é — 漢 🙂"',
    '"\\ud800 alone"',
    "1e308",
    '{"a":1,"a":2}',
    '{"constructor":1,"toString":2}',
    `${"[".repeat(10_000)}${"]".repeat(10_000)}`,
    JSON.stringify("x".repeat(1_048_574)),
  ];
  for (const body of bodies) assert.equal((await postOnce(url, body)).status, 200, body.slice(0, 40));
  assert.deepEqual(
    (await sink.posts()).map(({ body }) => body),
    bodies,
  );
});

test("a known key is answered as before, also by a sink that was restarted", { timeout }, async (t) => {
  const file = await recordFile(t);
  const first = await serveSink(t, { file });
  const key = { "idempotency-key": "the-same" };
  const { body } = await postOnce(first.url, "1", key);
  assert.deepEqual((await postOnce(first.url, "1", key)).body, body);
  await first.sink.close();
  const second = await serveSink(t, { file });
  assert.deepEqual((await postOnce(second.url, "1", key)).body, body);
  assert.equal((await postsIn(file)).length, 1);
  assert.deepEqual(
    second.events.map(({ type }) => type),
    ["known"],
  );
});

test("a known key with another body is refused with 422, by the relay too", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const client = await dial(t, (await serveRelay(t, sink.url)).url);
  await client.post(EXAMPLE, { idempotencyKey: "mine" });
  await assert.rejects(client.post({ other: 1 }, { idempotencyKey: "mine" }), {
    code: "ERR_POST_REFUSED",
    status: 422,
    idempotencyKey: "mine",
    message: /this Idempotency-Key belongs to another body$/,
  });
  assert.equal((await sink.posts()).length, 1);
});

test("an answer of 500 says nothing about what was done; one of 400 says that it was not", { timeout }, async (t) => {
  const server = await serveHttp(t, (body, response) => response.writeHead(Number(body)).end("because"));
  const client = await dial(t, server);
  await assert.rejects(client.post(500), { code: "ERR_POST_UNKNOWN", status: 500, body: "because" });
  await assert.rejects(client.post(400), { code: "ERR_POST_REFUSED", status: 400, message: /the answer is 400$/ });
});

test("many posts under one key at once are one post with one answer", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const client = await dial(t, (await serveRelay(t, sink.url)).url);
  const posts = Array.from({ length: 100 }, () => client.post(EXAMPLE, { idempotencyKey: "one" }));
  const answers = await Promise.all(posts);
  const [post, ...more] = await sink.posts();
  assert.deepEqual(more, []);
  for (const { body } of answers) assert.deepEqual(body, { recorded: post?.at });
});

test("without a key each post is one of its own, and is tried once", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  for (let i = 0; i < 3; i++) await postOnce(url, "1");
  assert.equal((await sink.posts()).length, 3);

  let tries = 0;
  const busy = await serveHttp(t, (_body, response) => {
    tries++;
    response.writeHead(503, { "content-type": "application/json" }).end('{"not":"now"}');
  });
  const { status, body } = await postOnce((await serveRelay(t, busy)).url, "1");
  assert.deepEqual([status, body, tries], [503, { not: "now" }, 1]);
});

test("a key has 1 to 255 visible characters and is there once", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  const statuses: number[] = [];
  for (const key of ["k".repeat(255), "k".repeat(256), "", "two words", "caf\u00e9"]) {
    statuses.push(statusOf(await ask(t, url, wire("1", { "idempotency-key": key }))));
  }
  const twice = wire("1", { "idempotency-key": "a\r\nidempotency-key: b" });
  assert.deepEqual(statuses, [200, 400, 400, 400, 400]);
  assert.equal(statusOf(await ask(t, url, twice)), 400);
  const client = await dial(t, url);
  await assert.rejects(client.post(1, { idempotencyKey: "two words" }), { code: "ERR_INVALID_ARG_VALUE" });
  await assert.rejects(client.post(undefined), { code: "ERR_INVALID_ARG_VALUE" });
});

test("a torn post at the end of the record is discarded, damage before it is not passed over", {
  timeout,
}, async (t) => {
  const file = await recordFile(t);
  const first = await serveSink(t, { file });
  for (const key of ["a", "b"]) await postOnce(first.url, `"${key}"`, { "idempotency-key": key });
  await first.sink.close();
  const whole = await readFile(file);
  for (let length = whole.indexOf("\n") + 1; length < whole.length; length++) {
    await writeFile(file, whole.subarray(0, length));
    const sink = await startSink(file);
    await sink.close();
    assert.deepEqual(await readFile(file), whole.subarray(0, whole.indexOf("\n") + 1), `torn at byte ${length}`);
  }
  const again = await serveSink(t, { file });
  assert.equal((await postOnce(again.url, '"b"', { "idempotency-key": "b" })).status, 200);
  assert.equal((await again.posts()).length, 2);
  await again.sink.close();

  await writeFile(file, Buffer.concat([whole.subarray(5), whole]));
  await assert.rejects(startSink(file), { code: "ERR_RECORD", line: 1 });
});

test("a key is forgotten after keepMs, also by a sink that was restarted; its post stays", { timeout }, async (t) => {
  const file = await recordFile(t);
  const line = (at: number, key: string) => `${JSON.stringify({ at: new Date(at).toISOString(), key, body: "1" })}\n`;
  const now = Date.now();
  await writeFile(file, line(now - 150_000, "old") + line(now - 50_000, "young"));
  const { url, sink } = await serveSink(t, { file, keepMs: 100_000, maxKeys: 2 });
  const post = async (server: string, key: string) => {
    const { status, body } = await postOnce(server, "1", { "idempotency-key": key });
    assert.equal(status, 200, "what is forgotten takes no room");
    return Date.parse(body.recorded ?? "");
  };
  assert.equal(await post(url, "young"), now - 50_000, "still known");
  const again = await post(url, "old");
  assert.ok(again >= now, "forgotten: a new post");
  await sink.close();
  const keys = (await postsIn(file)).map(({ key }) => key);
  assert.deepEqual(keys, ["old", "young", "old"]);
  const restarted = await serveSink(t, { file, keepMs: 100_000 });
  assert.equal(await post(restarted.url, "old"), again, "the later of two");

  const brief = await serveSink(t, { keepMs: 50 });
  const first = await post(brief.url, "k");
  await until(() => Date.now() > first + 50);
  assert.ok((await post(brief.url, "k")) > first, "forgotten while it runs");
});

test("above maxKeys the sink answers 503 and goes on", { timeout }, async (t) => {
  const { url } = await serveSink(t, { maxKeys: 2 });
  const statuses = [];
  for (const key of ["a", "b", "c", "a"]) statuses.push((await postOnce(url, "1", { "idempotency-key": key })).status);
  assert.deepEqual(statuses, [200, 200, 503, 200]);
});

test("fsync: the same, and the disk has it", { timeout }, async (t) => {
  const sink = await serveSink(t, { fsync: true });
  const client = await dial(t, sink.url);
  await Promise.all(Array.from({ length: 100 }, (_, number) => client.post(number)));
  assert.equal((await sink.posts()).length, 100);
});

test("a record that cannot be read or written is told", { timeout }, async (t) => {
  await assert.rejects(startSink("/nowhere/posts.log"), { code: "ENOENT" });
  await assert.rejects(startSink("/"), { code: "EISDIR" });
  const file = await recordFile(t);
  await appendFile(file, "");
  await truncate(file, 0);
  assert.deepEqual(await postsIn(file), []);
});

test("anything but a POST of JSON to / is refused, always as application/problem+json", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  for (const server of [sink.url, url]) {
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      const response = await fetch(server, { method });
      assert.equal(response.status, 405, method);
      assert.equal(response.headers.get("allow"), "POST");
      assert.equal(response.headers.get("content-type"), "application/problem+json");
      await response.arrayBuffer();
    }
    const wrong: [status: number, request: string][] = [
      [404, wire("1").replace("POST /", "POST /elsewhere")],
      [405, "CONNECT 127.0.0.1:1 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"],
      [404, "GET /%zz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"],
      [400, wire("")],
      [400, "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"],
      [400, wire("{")],
      [400, wire('{"__proto__":{"x":1}}')],
      [400, wire('"\xff"', { "content-length": "3" })],
      [415, wire("1", { "content-encoding": "gzip" })],
      [403, wire("1", { origin: "http://evil.example" })],
      [421, wire("1", { host: "evil.example" })],
      [400, wire("1", { host: "127.0.0.1\r\nhost: evil.example" })],
    ];
    for (const [status, request] of wrong) {
      const answer = await ask(t, server, request);
      assert.equal(statusOf(answer), status, request);
      assert.match(answer, /content-type: application\/problem\+json\r\n/i, request);
    }
  }
  assert.deepEqual(await sink.posts(), []);
});

test("JSON under another Content-Type is refused with 415", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  const types = [
    "text/plain",
    "text/plain;application/json",
    "application/jsonx",
    "application/json\t; x",
    "application\t/json",
    "application/json x",
    "application /json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=application/json",
    "application/json, text/plain",
    "",
  ];
  for (const type of types) {
    const answer = await ask(t, url, wire('{"__proto__":1}', { "content-type": type }));
    assert.ok([400, 415].includes(statusOf(answer)), `${type}: ${answer}`);
    const plain = await ask(t, url, wire("1", { "content-type": type }));
    if (type !== "application/json\t; x") assert.equal(statusOf(plain), 415, `${type}: ${plain}`);
  }
  const charset = await ask(t, url, wire("1", { "content-type": "Application/JSON; charset=utf-8" }));
  assert.equal(statusOf(charset), 200);
});

test("names and pages that are allowed may ask", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const options = { allowedHosts: ["relay.example"], allowedOrigins: ["https://app.example"] };
  const { url } = await serveRelay(t, sink.url, options);
  const request = wire("1", { host: "relay.example", origin: "https://app.example" });
  assert.equal(statusOf(await ask(t, url, request)), 200);
});

test("neither is opened to a network without a token, unless insecure", { timeout }, async (t) => {
  const host = "0.0.0.0";
  const nobody = await freeUrl();
  await assert.rejects(serveSink(t, { host }), { code: "ERR_NO_TOKEN" });
  await assert.rejects(serveRelay(t, nobody, { host, sinkToken: TOKEN }), { code: "ERR_NO_TOKEN" });
  for (const options of [{ token: TOKEN }, { insecure: true }]) {
    const sink = await serveSink(t, { host, ...options });
    const relay = await serveRelay(t, nobody, { host, ...options, timeoutMs: 100 });
    const statuses = "token" in options ? [401, 401] : [200, 502];
    const posts = [sink, relay].map(({ url }) => postOnce(url.replace(host, "127.0.0.1"), "1"));
    assert.deepEqual(
      (await Promise.all(posts)).map(({ status }) => status),
      statuses,
    );
  }
});

test("with a token: who does not show it gets 401, also before a body is sent, and nothing goes further", {
  timeout,
}, async (t) => {
  const sink = await serveSink(t, { token: TOKEN });
  const relay = await serveRelay(t, sink.url, { token: TOKEN, sinkToken: TOKEN });
  for (const { url, events } of [sink, relay]) {
    const wrong = [{}, { authorization: `Bearer ${TOKEN}x` }, { authorization: `Basic ${btoa(`${TOKEN}:`)}` }];
    for (const headers of wrong) {
      const { status, headers: told, body } = await postOnce(url, "1", headers);
      assert.deepEqual([status, told.get("content-type")], [401, "application/problem+json"]);
      assert.match(body.detail ?? "", /^the token is missing or wrong: /);
      assert.match(told.get("www-authenticate") ?? "", /^Basic realm="[^"]+", charset="UTF-8"$/);
    }
    assert.equal(statusOf(await ask(t, url, wire("1", { expect: "100-continue" }))), 401);
    assert.ok(events.every((event) => event.type === "refused" && event.status === 401));
    const error = { code: "ERR_WRONG_TOKEN", status: 401, message: `Cannot post to ${url}: it wants a token` };
    await assert.rejects((await dial(t, url)).post(EXAMPLE), error);
    await assert.rejects((await dial(t, url, { token: `${TOKEN}x` })).post(EXAMPLE), error);
  }
  assert.deepEqual(await sink.posts(), []);
  for (const { url } of [sink, relay]) {
    const client = await dial(t, url, { token: TOKEN });
    assert.equal((await client.post(EXAMPLE)).status, 200);
    assert.equal((await postOnce(url, "1", { authorization: `Basic ${btoa(`anybody:${TOKEN}`)}` })).status, 200);
  }
  assert.equal((await sink.posts()).length, 4);
});

test("the relay shows the sink a token of its own, and passes on only one that was not for itself", {
  timeout,
}, async (t) => {
  const shown: (string | undefined)[] = [];
  const sink = await serveHttp(t, (_body, response, { headers }) => {
    shown.push(headers.authorization);
    response.end("1");
  });
  const authorization = `Bearer ${TOKEN}`;
  const own = `Bearer ${SINK_TOKEN}`;
  for (const [options, passed, passedWhenNamed] of [
    [{}, authorization, undefined],
    [{ token: TOKEN }, undefined, undefined],
    [{ sinkToken: SINK_TOKEN }, own, own],
    [{ token: TOKEN, sinkToken: SINK_TOKEN }, own, own],
  ] as const) {
    const { url } = await serveRelay(t, sink, options);
    for (const connection of ["keep-alive", "authorization"]) {
      assert.equal(statusOf(await ask(t, url, wire("1", { authorization, connection }))), 200);
    }
    assert.deepEqual(shown.splice(0), [passed, passedWhenNamed]);
  }
});

test("a sink that does not let the relay in: 502, it is not done, and the client's token is not at fault", {
  timeout,
}, async (t) => {
  const sink = await serveSink(t, { token: SINK_TOKEN });
  for (const options of [{ token: TOKEN }, { sinkToken: `${SINK_TOKEN}x` }]) {
    const { url, told } = await serveRelay(t, sink.url, options);
    const { status, headers, body } = await postOnce(url, "1", { authorization: `Bearer ${TOKEN}` });
    assert.deepEqual([status, body.done, headers.get("www-authenticate")], [502, "no", null]);
    assert.equal(body.detail, "the sink does not let the relay in. It does not have the post");
    assert.equal((await told("failed")).error.code, "ERR_WRONG_TOKEN");
  }
  // Between client and sink alone.
  const relay = await serveRelay(t, sink.url);
  await assert.rejects((await dial(t, relay.url)).post(EXAMPLE), { code: "ERR_WRONG_TOKEN", status: 401 });
  assert.equal((await (await dial(t, relay.url, { token: SINK_TOKEN })).post(EXAMPLE)).status, 200);
});

test("connect() waits for a server, gives up after waitMs, and can be aborted", { timeout }, async () => {
  const url = await freeUrl();
  await assert.rejects(connect(url, { waitMs: 0 }), {
    code: "ECONNREFUSED",
    message: `Cannot connect to ${url}: nobody listens there`,
  });
  await assert.rejects(connect("localhost"), { code: "ERR_INVALID_URL" });
  await assert.rejects(connect(url, { timeoutMs: -1 }), RangeError);
  const reason = new Error("not interested any more");
  const controller = new AbortController();
  const onEvent = () => controller.abort(reason);
  await assert.rejects(connect(url, { signal: controller.signal, onEvent }), reason);
});

test("a client's post() can be aborted, is bounded, and rejects once it is closed", { timeout }, async (t) => {
  const silent = await serveTcp(t, () => {});
  const client = await connect(silent, { maxQueued: 2, graceMs: 50 });
  const controller = new AbortController();
  const reason = new Error("not interested any more");
  const posts = [client.post(1, { signal: controller.signal }), client.post(2)];
  await assert.rejects(client.post(3), { code: "ENOBUFS", queued: 2, maxQueued: 2 });
  controller.abort(reason);
  await assert.rejects(posts[0] ?? Promise.resolve(), reason);
  const cutOff = assert.rejects(posts[1] ?? Promise.resolve(), {
    code: "ERR_POST_UNKNOWN",
    message: /closed before the answer came/,
  });
  await client.close();
  await client.close();
  await cutOff;
  await assert.rejects(client.post(4), { code: "EPIPE" });
});

test("the client tries again what failed for now, under the same key, not before Retry-After", {
  timeout,
}, async (t) => {
  const keys: unknown[] = [];
  const times: number[] = [];
  const server = await serveHttp(t, (_body, response, { headers }) => {
    keys.push(headers["idempotency-key"]);
    times.push(performance.now());
    const status = keys.length === 2 ? 503 : 200;
    if (keys.length === 1) response.destroy();
    else response.writeHead(status, { "content-type": "application/json", "retry-after": "1" }).end('"at last"');
  });
  const client = await dial(t, server);
  const { body } = await client.post(1);
  assert.equal(body, "at last");
  assert.deepEqual(new Set(keys).size, 1);
  const [, second = 0, third = 0] = times;
  assert.ok(third - second >= 990, `asked again after ${third - second} ms`);
});

test("no try is begun that has less time than the last one took: what is not done stays known as such", {
  timeout,
}, async (t) => {
  let tries = 0;
  const server = await serveHttp(t, (_body, response) => {
    tries++;
    const notNow = JSON.stringify({ detail: "not now", done: "no" });
    setTimeout(() => response.writeHead(502, { "content-type": "application/json" }).end(notNow), 300);
  });
  const client = await dial(t, server, { timeoutMs: 500 });
  await assert.rejects(client.post(1), { code: "ERR_POST_FAILED", status: 502, message: /not now$/ });
  assert.equal(tries, 1);
});

test("posts that waited for a connection until their time was over are never sent", { timeout }, async (t) => {
  let requests = 0;
  const silent = await serveHttp(t, () => {
    requests++;
  });
  const poster = createPoster(silent, {
    ...{ connections: 1, pipelining: 1, maxQueued: 10, maxAnswerBytes: 1_000, timeoutMs: 200, tryTimeoutMs: 200 },
    signal: new AbortController().signal,
  });
  // All in one turn: their time is over in one turn as well.
  const posts = Array.from({ length: 10 }, () => poster.post({ key: undefined, body: "1", headers: {} }));
  for (const outcome of await Promise.all(posts)) assert.ok(outcome instanceof Error && outcome.code === "ETIMEDOUT");
  await poster.close(1_000);
  assert.equal(requests, 1);
});

test("above maxQueued the relay answers 503 with Retry-After, and goes on", { timeout }, async (t) => {
  const held: ServerResponse[] = [];
  const slow = await serveHttp(t, (_body, response) => held.push(response));
  const { url } = await serveRelay(t, slow, { maxQueued: 2 });
  const waiting = [postOnce(url, "1"), postOnce(url, "2")];
  await until(() => held.length === 2);
  const { status, headers, body } = await postOnce(url, "3");
  assert.deepEqual([status, body.done, headers.get("retry-after")], [503, "no", "1"]);
  assert.equal(headers.get("content-type"), "application/problem+json");
  for (const response of held) response.end("1");
  for (const answer of waiting) assert.equal((await answer).status, 200);
  const next = postOnce(url, "4");
  (await until(() => held[2])).end("1");
  assert.equal((await next).status, 200);
});

test("posts share connections that stay open; only with pipelining, and a key, is there more than one on each", {
  timeout,
}, async (t) => {
  const open = new Map<Socket, number>();
  let most = 0;
  const sink = await serveHttp(t, (_body, response, { socket }) => {
    const now = (open.get(socket) ?? 0) + 1;
    open.set(socket, now);
    most = Math.max(most, now);
    setTimeout(() => response.end("1", () => open.set(socket, (open.get(socket) ?? 0) - 1)), 20);
  });
  async function seen(options: RelayOptions, withKey: boolean) {
    open.clear();
    most = 0;
    const { url, relay } = await serveRelay(t, sink, options);
    await postOnce(url, "1");
    const post = (_: unknown, key: number) => postOnce(url, "1", withKey ? { "idempotency-key": String(key) } : {});
    for (const { status } of await Promise.all(Array.from({ length: 40 }, post))) assert.equal(status, 200);
    await relay.close();
    return { connections: open.size, most };
  }
  assert.deepEqual(await seen({ connections: 3 }, true), { connections: 3, most: 1 }, "off by default");
  const piped = await seen({ connections: 1, pipelining: 8 }, true);
  assert.ok(piped.connections === 1 && piped.most > 1 && piped.most <= 8, JSON.stringify(piped));
  assert.deepEqual(await seen({ connections: 1, pipelining: 8 }, false), { connections: 1, most: 1 });
});

test("what one turn writes to a connection is one write, with what undici puts off to its end", {
  timeout,
}, async (t) => {
  const received: string[] = [];
  const socket = await dialTcp(
    t,
    await serveTcp(t, (peer) => peer.on("data", (chunk) => received.push(String(chunk)))),
  );
  let writes = 0;
  const { _write: write, _writev: writev } = socket;
  socket._write = (...args) => {
    writes++;
    write.apply(socket, args);
  };
  socket._writev = (...args) => {
    writes++;
    writev?.apply(socket, args);
  };
  const turn = createTurnWriter();
  turn.add(socket);
  for (const text of ["first ", "second "]) {
    turn.begin();
    socket.write(text);
    setImmediate(() => socket.write("late "));
    turn.end();
  }
  await until(() => received.join("").length === 23);
  assert.deepEqual([received.join(""), writes], ["first second late late ", 1]);
});

test("close() of a relay answers at once what waits for the next try", { timeout }, async (t) => {
  const { relay, url, told } = await serveRelay(t, await freeUrl(), { timeoutMs: 10_000 });
  const answer = postOnce(url, "1", { "idempotency-key": "1" });
  await told("waiting");
  const closedAt = performance.now();
  await Promise.all([relay.close(), relay.close()]);
  assert.ok(performance.now() - closedAt < 2_000);
  const { status, body } = await answer;
  assert.deepEqual([status, body.done], [502, "no"]);
});

test("a listener of events that throws is warned of, and breaks nothing", { timeout }, async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(warning.message);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const onEvent = () => {
    throw new Error("Cannot write to the log");
  };
  const sink = await startSink(await recordFile(t), { onEvent });
  t.after(() => sink.close());
  const relay = await startRelay(sink.url, { onEvent });
  t.after(() => relay.close());
  const client = await dial(t, relay.url, { onEvent });
  assert.equal((await client.post(EXAMPLE)).status, 200);
  await until(() => warnings.includes("Cannot write to the log"));
});

test("wrong options are refused at once", { timeout }, async (t) => {
  const file = await recordFile(t);
  await assert.rejects(startSink(file, { keepMs: -1 }), RangeError);
  await assert.rejects(startSink(file, { graceMs: Number.NaN }), RangeError);
  await assert.rejects(startSink(file, { host: "" }), TypeError);
  await assert.rejects(startRelay("http://127.0.0.1"), { code: "ERR_INVALID_URL" });
  await assert.rejects(startRelay("https://127.0.0.1:1"), { code: "ERR_INVALID_URL" });
  await assert.rejects(startRelay("http://127.0.0.1:1", { timeoutMs: 1.5 }), RangeError);
  await assert.rejects(startSink(file, { token: "short" }), RangeError);
  for (const options of [{ token: "short" }, { sinkToken: "short" }]) {
    await assert.rejects(startRelay("http://127.0.0.1:1", options), RangeError);
  }
  await assert.rejects(connect("http://127.0.0.1:1", { token: "short" }), RangeError);
});
