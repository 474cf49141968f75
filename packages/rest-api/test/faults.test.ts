import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import test, { describe, type TestContext } from "node:test";
import { Pool } from "undici";
import { ask, draft, sendRaw, serve, statusOf, temporaryDatabase } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 500_000 : 60_000;
const emma = { id: "emma", ...draft("Emma") };

/** The server is alive: somebody else completes an exchange. */
async function checkAlive(url: string) {
  assert.equal((await ask(`${url}/books/emma`)).status, 200);
}

describe("what means harm", { concurrency: 3 }, () => {
  test("what is no HTTP/1.1 gets the status that the RFCs name, as a problem, and the connection is closed", {
    timeout,
  }, async (t) => {
    // Far above what a busy machine takes to read a request; of the two that never end, below.
    const { url } = await serve(t, { firstBooks: [emma], headersTimeoutMs: 20_000, requestTimeoutMs: 20_000 });
    const hasty = await serve(t, { headersTimeoutMs: 300, requestTimeoutMs: 500 });
    const get = "GET /books/emma HTTP/1.1\r\nhost: localhost\r\n";
    const post = "POST /books HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    const vectors: [what: string, bytes: string, status: number][] = [
      [
        "Transfer-Encoding with Content-Length",
        `${post}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      ["two Content-Length", `${post}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, 400],
      ["a negative Content-Length", `${post}content-length: -1\r\n\r\n{}`, 400],
      ["a chunk size that is none", `${post}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, 400],
      ["a chunk size with a sign", `${post}transfer-encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n`, 400],
      ["bare LF", "GET /books/emma HTTP/1.1\nhost: localhost\n\n", 400],
      ["NUL in a header", `${get}x: a\u0000b\r\n\r\n`, 400],
      ["a folded header", `${get}x: a\r\n b\r\n\r\n`, 400],
      ["a space before the colon", `${get}x : a\r\n\r\n`, 400],
      ["no Host", "GET /books/emma HTTP/1.1\r\n\r\n", 400],
      ["two Hosts", `${get}host: localhost\r\n\r\n`, 400],
      ["a foreign Host", "GET /books/emma HTTP/1.1\r\nhost: evil.example\r\n\r\n", 421],
      ["9 kB of headers", `${get}x: ${"a".repeat(9_000)}\r\n\r\n`, 431],
      ["an unknown Expect", `${get}expect: miracles\r\n\r\n`, 417],
      ["another version", "GET /books/emma HTTP/3.0\r\nhost: localhost\r\n\r\n", 400],
      ["no method", "/books/emma HTTP/1.1\r\nhost: localhost\r\n\r\n", 400],
      ["TLS", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003", 400],
      ["headers without an end", "GET / HTTP/1.1\r\nhost: local", 408],
      ["a body without an end", `${post}content-length: 10\r\n\r\n{`, 408],
    ];
    const sent = vectors.map(([, bytes, status]) => sendRaw(t, status === 408 ? hasty.url : url, bytes));
    const answers = await Promise.all(sent);
    for (const [index, [what, , status]] of vectors.entries()) {
      const answer = answers[index] ?? "";
      assert.equal(statusOf(answer), status, `${what}: ${answer}`);
      assert.match(answer, /content-type: application\/problem\+json/i, what);
      assert.match(answer, /connection: close/i, what);
      assert.equal(
        JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4).replace(/^\w+\r\n|\r\n0\r\n\r\n$/g, "")).status,
        status,
      );
    }
    await checkAlive(url);
  });

  test("HTTP/1.0, HEAD, an absolute URL and odd paths are answered as what they are", { timeout }, async (t) => {
    const { url } = await serve(t, { firstBooks: [emma] });
    const one = (line: string) => sendRaw(t, url, `${line}\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    assert.equal(statusOf(await sendRaw(t, url, "GET /books/emma HTTP/1.0\r\n\r\n")), 200);
    assert.match(await one("HEAD /books/emma HTTP/1.1"), /content-length: \d+[\s\S]*\r\n\r\n$/);
    for (const path of [
      "/../../etc/passwd",
      "/%2e%2e/%2e%2e/etc/passwd",
      "/page.js/../../server.ts",
      "/server.ts",
      "//",
      "/books/emma/",
    ]) {
      assert.equal(statusOf(await one(`GET ${path} HTTP/1.1`)), 404, path);
    }
    for (const path of ["/books/%zz", "/books/%ff"])
      assert.equal(statusOf(await one(`GET ${path} HTTP/1.1`)), 400, path);
    assert.ok([400, 404, 414].includes(statusOf(await one(`GET /books/${"x".repeat(4_000)} HTTP/1.1`))));
  });

  test("a foreign Origin is refused, its own and none at all pass", { timeout }, async (t) => {
    const { url } = await serve(t, { firstBooks: [emma] });
    for (const origin of ["http://evil.example", "null", url.replace("127.0.0.1", "localhost")]) {
      for (const path of ["/books", "/changes", "/", "/health"]) {
        assert.equal((await ask(url + path, { headers: { origin } })).status, 403, `${origin} ${path}`);
      }
      const write = { method: "POST", body: draft("Evil"), headers: { origin } };
      assert.equal((await ask(`${url}/books`, write)).status, 403);
    }
    assert.equal((await ask(`${url}/books`, { headers: { origin: url } })).status, 200);
    assert.equal((await ask(`${url}/books`)).body.books.length, 1);
  });

  test("a body under another name than its own is 415, however it is spelt, and validation runs for the right one", {
    timeout,
  }, async (t) => {
    const { url } = await serve(t);
    const post = (type: string, body: string, more = "") =>
      sendRaw(
        t,
        url,
        `POST /books HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${type}${more}content-length: ${body.length}\r\n\r\n${body}`,
      );
    const body = JSON.stringify(draft("Emma"));
    for (const type of [
      "",
      "content-type:\r\n",
      "content-type: text/plain\r\n",
      "content-type: application/x-www-form-urlencoded\r\n",
      "content-type: multipart/form-data; boundary=x\r\n",
      "content-type: application/jsonp\r\n",
      "content-type: application/json x\r\n",
      "content-type: application/json\tx\r\n",
      "content-type: application/ json\r\n",
      "content-type: application/json; charset=utf-16\r\n",
      "content-type: application/json; a=b\r\n",
      "content-type: text/plain, application/json\r\n",
      "content-type: application/merge-patch+json\r\n",
      "content-type: text/plain\r\ncontent-type: application/json\r\n",
    ]) {
      assert.equal(statusOf(await post(type, body)), 415, JSON.stringify(type));
    }
    for (const encoding of ["gzip", "identity", "br, gzip", ""]) {
      const answer = await post("content-type: application/json\r\n", body, `content-encoding: ${encoding}\r\n`);
      assert.equal(statusOf(answer), 415, encoding);
    }
    for (const type of [
      "application/json",
      " application/json\t",
      "Application/JSON;charset=UTF-8",
      'application/json ; charset="utf-8"',
    ]) {
      assert.equal(statusOf(await post(`content-type:${type}\r\n`, "{}")), 400, `${type}: checked all the same`);
      assert.equal(statusOf(await post(`content-type:${type}\r\n`, body)), 201, type);
    }
    const patch = {
      method: "PATCH",
      body: { year: 1 },
      headers: { "if-match": "*", "content-type": "application/json" },
    };
    assert.equal((await ask(`${url}/books/emma`, patch)).status, 415);
  });

  test("bodies that mean harm get 400 or are kept as they are; Object.prototype stays as it is", {
    timeout,
  }, async (t) => {
    // A machine that stops for seconds would make it 408.
    const { url } = await serve(t, { firstBooks: [emma], headersTimeoutMs: 20_000, requestTimeoutMs: 20_000 });
    const before = Object.getOwnPropertyNames(Object.prototype);
    const text = (more: string) => `{"title":"T","author":"A","year":1,"status":"read"${more}}`;
    const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
    const vectors: [what: string, body: string, status: number][] = [
      ["__proto__", text(',"__proto__":{"isAdmin":true}'), 400],
      ["__proto__ with escapes", text(',"\\u005f_proto__":{"isAdmin":true}'), 400],
      ["constructor", text(',"constructor":{"prototype":{"isAdmin":true}}'), 400],
      ["nested __proto__", text(',"notes":{"__proto__":{"isAdmin":true}}'), 400],
      ["a name twice", text(',"title":"Another"'), 400],
      ["a name twice, once with escapes", text(',"t\\u0069tle":"Another"'), 400],
      ["names in a text", text(',"notes":"{\\"a\\":1,\\"a\\":2,\\"__proto__\\":3}"'), 201],
      ["30,000 arrays deep", deep("[", "]", 30_000), 400],
      ["10,000 objects deep", deep('{"a":', "}", 10_000).replace("}", "1}"), 400],
      ["100,000 deep", deep("[", "]", 100_000), 413],
      ["1e308", text("").replace(":1,", ":1e308,"), 400],
      ["1e999", text("").replace(":1,", ":1e999,"), 400],
      ["-0 and 1.0 are whole numbers", text("").replace(":1,", ":1.0,"), 201],
      ["a lone surrogate", text(',"notes":"\\ud800"'), 400],
      ["a pair of surrogates", text(',"notes":"\\ud83d\\ude42"'), 201],
      ["NUL", text(',"notes":"a\\u0000b"'), 400],
      ["a line break in a title", text("").replace('"T"', '"a\\nb"'), 400],
      ["a trailing comma", text(","), 400],
      ["a comment", `/* */${text("")}`, 400],
      ["two values", `${text("")}${text("")}`, 400],
    ];
    for (const [what, body, status] of vectors) {
      assert.equal((await ask(`${url}/books`, { method: "POST", body })).status, status, what);
    }
    const bytes = await fetch(`${url}/books`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Buffer.from(text(',"notes":"\u00ff"'), "latin1"),
    });
    assert.equal(bytes.status, 400, "no UTF-8");

    const rounds = isHeavy ? 100_000 : 500;
    const pool = new Pool(url, { connections: 50 });
    t.after(() => pool.close());
    const headers = { "content-type": "application/json" };
    for (let sent = 0; sent < rounds; sent += 50) {
      const answers = Array.from({ length: 50 }, () =>
        pool.request({ method: "POST", path: "/books", headers, body: damage(text("")) }),
      );
      for (const { statusCode, body } of await Promise.all(answers)) {
        assert.ok(statusCode === 201 || statusCode === 400, String(statusCode));
        await body.dump();
      }
    }
    assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before);
    assert.equal(Object.hasOwn(Object.prototype, "isAdmin"), false);
    await checkAlive(url);
  });

  const NASTY = [
    '"__proto__":',
    '"constructor":',
    '{"a":',
    "[",
    "\\u0000",
    "1e400",
    '"',
    "}",
    "\\ud800",
    "\u0000",
    "é",
  ];

  /** A body in which something was put, taken out or turned round. */
  function damage(body: string): string {
    const at = randomInt(body.length);
    const put = NASTY[randomInt(NASTY.length)] ?? "";
    return body.slice(0, at) + put + body.slice(at + randomInt(4));
  }

  test("garbage connections are refused one by one, and leave nothing behind", { timeout }, async (t) => {
    // 400 for certain, not 408, also where a busy machine stops for seconds.
    const { url, events } = await serve(t, { firstBooks: [emma], headersTimeoutMs: 20_000, requestTimeoutMs: 20_000 });
    const rounds = isHeavy ? 20_000 : 500;
    for (let sent = 0; sent < rounds; sent += 50) {
      await Promise.all(Array.from({ length: 50 }, () => garbage(t, url)));
    }
    assert.ok(events.filter(({ type }) => type === "refused").length >= rounds * 0.9);
    assert.ok(!events.some(({ type }) => type === "failed"));
    await checkAlive(url);
  });

  async function garbage(t: TestContext, url: string) {
    // A zero byte first: never the beginning of a method, so never a reason to wait for more.
    const status = statusOf(await sendRaw(t, url, `\u0000${randomBytes(64).toString("latin1")}\r\n\r\n`));
    assert.ok(status === 400 || Number.isNaN(status), String(status));
  }

  test("a database that goes away is 503, or 500 without a word about it, and in the log", { timeout }, async (t) => {
    const { createClient } = await import("@libsql/client");
    const database = await temporaryDatabase(t);
    const { url, events } = await serve(t, { database, firstBooks: [emma] });
    const client = createClient({ url: database });
    t.after(() => client.close());
    const lock = await client.transaction("write");
    const locked = await ask(`${url}/books`, { method: "POST", body: draft("Waits") });
    assert.deepEqual([locked.status, locked.headers.get("retry-after")], [503, "1"]);
    await checkAlive(url);
    const waiting = ask(`${url}/books`, { method: "POST", body: draft("Waits") });
    await lock.rollback();
    assert.equal((await waiting).status, 201, "a lock that is let go in time is waited for");

    await client.execute("ALTER TABLE books RENAME TO elsewhere");
    const broken = await ask(`${url}/books/emma`);
    assert.equal(broken.status, 500);
    assert.doesNotMatch(JSON.stringify(broken.body), /sql|table|books\b/i);
    assert.ok(events.some((event) => event.type === "failed" && /no such table/.test(event.error.message)));
    await client.execute("ALTER TABLE elsewhere RENAME TO books");
    await checkAlive(url);
  });
});
