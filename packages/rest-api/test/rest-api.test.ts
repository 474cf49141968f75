import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { openDatabase } from "../src/database.ts";
import { ask, dial, draft, sendRaw, serve, statusOf, TOKEN, temporaryDatabase } from "./support.ts";

const timeout = 30_000;

test("a book is created, read, replaced, patched and deleted", { timeout }, async (t) => {
  const { url } = await serve(t);
  const created = await ask(`${url}/books`, {
    method: "POST",
    body: { ...draft("Émile, or: On Education"), rating: 4 },
  });
  assert.equal(created.status, 201);
  assert.equal(created.headers.get("location"), "/books/emile-or-on-education");
  assert.equal(created.headers.get("etag"), `"${created.body.version}"`);

  const book = `${url}/books/emile-or-on-education`;
  const got = await ask(book);
  assert.equal(got.status, 200);
  assert.deepEqual(got.body, created.body);
  assert.equal(got.headers.get("etag"), created.headers.get("etag"));

  const etag = got.headers.get("etag") ?? "";
  const patch = { rating: null, notes: "Long.\nVery long." };
  const patched = await ask(book, { method: "PATCH", body: patch, headers: { "if-match": etag } });
  assert.equal(patched.status, 200);
  assert.equal(patched.body.notes, "Long.\nVery long.");
  assert.equal("rating" in patched.body, false);
  assert.ok(patched.body.version > created.body.version);

  const replacing = { method: "PUT", body: draft("Emile"), headers: { "if-match": patched.headers.get("etag") ?? "" } };
  const replaced = await ask(book, replacing);
  assert.equal(replaced.status, 200);
  assert.equal("notes" in replaced.body, false);

  const removing = { method: "DELETE", headers: { "if-match": replaced.headers.get("etag") ?? "" } };
  assert.equal((await ask(book, removing)).status, 204);
  assert.equal((await ask(book)).status, 404);
});

test("the server chooses a readable id on POST and another one when it is taken; the client may choose with PUT", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  const post = (title: string) => ask(`${url}/books`, { method: "POST", body: draft(title) });
  assert.equal((await post("The Trial")).body.id, "the-trial");
  assert.match((await post("The Trial")).body.id, /^the-trial-[a-z0-9]{8}$/);
  assert.match((await post("戰爭與和平")).body.id, /^[a-z0-9]{8}$/);
  assert.match((await post("x".repeat(200))).body.id, /^x{48}$/);

  const put = { method: "PUT", body: draft("Mine"), headers: { "if-none-match": "*" } };
  assert.equal((await ask(`${url}/books/mine`, put)).status, 201);
  assert.equal((await ask(`${url}/books/mine`, put)).status, 412);
  assert.equal((await ask(`${url}/books/Not%20an%20id`, put)).status, 400);
});

test("If-None-Match gives 304, If-Match guards every write: 428 without it, 412 when it is not what there is", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  const { body, headers } = await ask(`${url}/books`, { method: "POST", body: draft("Emma") });
  const etag = headers.get("etag") ?? "";
  const book = `${url}/books/${body.id}`;
  for (const [wanted, status] of [
    [etag, 304],
    [`W/${etag}`, 304],
    [`"other", ${etag}`, 304],
    ["*", 304],
    ['"other"', 200],
    ["no quotes", 400],
    [`${etag}, `, 400],
  ] as const) {
    const reply = await ask(book, { headers: { "if-none-match": wanted } });
    assert.equal(reply.status, status, wanted);
    if (status === 304) assert.deepEqual([reply.body, reply.headers.get("etag")], ["", etag]);
  }
  for (const [method, wrote] of [
    ["PUT", draft("Emma")],
    ["PATCH", { year: 1816 }],
    ["DELETE", undefined],
  ] as const) {
    const write = (wanted: Record<string, string>) => ask(book, { method, body: wrote, headers: wanted });
    assert.equal((await write({})).status, 428, `${method} without`);
    for (const wanted of ['"999"', `W/${etag}`, '"a", "b"']) {
      const reply = await write({ "if-match": wanted });
      assert.equal(reply.status, 412, `${method} ${wanted}`);
      assert.match(reply.body.detail, /Somebody has changed this book/);
    }
    assert.equal((await write({ "if-match": "17" })).status, 400, "no quotes");
  }
  assert.equal((await ask(book, { headers: { "if-match": '"999"' } })).status, 412, "reading, too");
  assert.equal((await ask(book, { method: "PATCH", body: { year: 1 }, headers: { "if-match": "*" } })).status, 200);
  assert.equal(
    (await ask(book, { method: "DELETE", headers: { "if-match": `"x", "${body.version + 1}"` } })).status,
    204,
  );
  assert.equal((await ask(book, { method: "DELETE", headers: { "if-match": "*" } })).status, 404);
  const again = await ask(book, { method: "PUT", body: draft("Emma"), headers: { "if-none-match": "*" } });
  assert.ok(again.body.version > body.version, "an ETag is never used twice");
});

test("of 20 who write at once with the same ETag one wins, and with * nothing is lost", { timeout }, async (t) => {
  const { url } = await serve(t);
  const { headers } = await ask(`${url}/books`, { method: "POST", body: draft("Emma") });
  const write = (year: number, wanted: string) =>
    ask(`${url}/books/emma`, { method: "PATCH", body: { year }, headers: { "if-match": wanted } });
  const guarded = await Promise.all(Array.from({ length: 20 }, (_, year) => write(year, headers.get("etag") ?? "")));
  assert.equal(guarded.filter(({ status }) => status === 200).length, 1);
  assert.equal(guarded.filter(({ status }) => status === 412).length, 19);
  const blind = await Promise.all(Array.from({ length: 20 }, (_, year) => write(year, "*")));
  assert.ok(blind.every(({ status }) => status === 200));
});

test("a list is filtered, searched without accents, sorted, and read page by page whatever is written meanwhile", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  const titles = ["Émile", "emma", "Zadig", "L'Étranger", "100 % sure_"];
  for (const [index, title] of titles.entries()) {
    const body = { ...draft(title), year: 1700 + index, status: index % 2 === 0 ? "read" : "reading" };
    await ask(`${url}/books`, { method: "POST", body });
  }
  const list = async (search: string) =>
    (await ask(`${url}/books?${search}`)).body.books.map(({ title }: { title: string }) => title);
  assert.deepEqual(await list(""), ["100 % sure_", "Émile", "emma", "L'Étranger", "Zadig"]);
  assert.deepEqual(await list("sort=-year&limit=2"), ["100 % sure_", "L'Étranger"]);
  assert.deepEqual(await list("sort=changed"), titles);
  assert.deepEqual(await list("q=ETR"), ["L'Étranger"]);
  assert.deepEqual(await list("q=%25"), ["100 % sure_"]);
  assert.deepEqual(await list("q=_"), ["100 % sure_"]);
  assert.deepEqual(await list("q=nobody&status=reading"), ["emma", "L'Étranger"]);

  for (const sort of ["title", "-title", "year", "-year", "author", "-changed"]) {
    const all = await list(`sort=${sort}`);
    const seen: string[] = [];
    let next: string | null = `/books?sort=${sort}&limit=2`;
    while (next !== null) {
      const page = await ask(`${url}${next}`);
      seen.push(...page.body.books.map(({ title }: { title: string }) => title));
      next = /<(.+)>; rel="next"/.exec(page.headers.get("link") ?? "")?.[1] ?? null;
      assert.equal(next === null, page.body.next === undefined);
    }
    assert.deepEqual(seen, all, sort);
  }

  const first = await ask(`${url}/books?limit=2`);
  await ask(`${url}/books/100-sure`, { method: "DELETE", headers: { "if-match": "*" } });
  await ask(`${url}/books`, { method: "POST", body: draft("Aaa") });
  assert.deepEqual(await list(`limit=2&cursor=${first.body.next}`), ["emma", "L'Étranger"]);
});

test("cursors and queries that are none get 400, not a page", { timeout }, async (t) => {
  const { url } = await serve(t);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const wrong = [
    "cursor=x",
    "cursor=",
    `cursor=${encode(["title", 1, "x"])}`,
    `cursor=${encode(["year", 1700, "x"])}`,
    `cursor=${encode(["title", "x"])}`,
    `cursor=${encode({ sort: "title" })}`,
    `sort=year&cursor=${encode(["year", "1 OR 1=1", "x"])}`,
    `cursor=${"x".repeat(2_001)}`,
    "limit=0",
    "limit=101",
    "limit=1.5",
    "limit=1&limit=2",
    "sort=price",
    "status=burnt",
    "q=%00",
    "querry=x",
  ];
  for (const search of wrong) {
    const { status, headers } = await ask(`${url}/books?${search}`);
    assert.equal(status, 400, search);
    assert.equal(headers.get("content-type"), "application/problem+json", search);
  }
  const sql = await ask(`${url}/books?q=${encodeURIComponent("'; DROP TABLE books; --")}`);
  assert.deepEqual([sql.status, sql.body], [200, { books: [] }]);
});

test("what is wrong with a book is said member by member", { timeout }, async (t) => {
  const { url } = await serve(t);
  const body = { title: "", author: 7, year: 1e308, status: "burnt", colour: "red" };
  const reply = await ask(`${url}/books`, { method: "POST", body });
  assert.equal(reply.status, 400);
  const pointers = new Set(reply.body.errors.map(({ pointer }: { pointer: string }) => pointer));
  assert.deepEqual(pointers, new Set(["/title", "/author", "/year", "/status", "/colour"]));
  assert.equal((await ask(`${url}/books`, { method: "POST", body: {} })).body.detail, "Body title is missing");
  assert.equal((await ask(`${url}/books`, { method: "POST", body: { ...draft("x"), id: "x" } })).status, 400);

  await ask(`${url}/books`, { method: "POST", body: draft("Emma") });
  const patch = (patch: unknown) =>
    ask(`${url}/books/emma`, { method: "PATCH", body: patch, headers: { "if-match": "*" } });
  for (const wrong of [{ title: null }, { rating: 6 }, [], null, "text", { title: { a: 1 } }, { version: 1 }]) {
    assert.equal((await patch(wrong)).status, 400, JSON.stringify(wrong));
  }
  assert.equal((await patch({})).status, 200);
});

test("404, 405 with Allow, HEAD as GET, OPTIONS refused: CORS is off", { timeout }, async (t) => {
  const { url } = await serve(t);
  for (const [path, method, status, allow] of [
    ["/nothing", "GET", 404, null],
    ["/books/nothing", "GET", 404, null],
    ["/books", "PUT", 405, "GET, HEAD, POST"],
    ["/books/x", "POST", 405, "GET, HEAD, PUT, PATCH, DELETE"],
    ["/books", "OPTIONS", 405, "GET, HEAD, POST"],
    ["/health", "POST", 405, "GET, HEAD"],
    ["/changes", "DELETE", 405, "GET"],
    ["/changes", "HEAD", 405, "GET"],
    ["/", "POST", 405, "GET, HEAD"],
    ["/page.js", "DELETE", 405, "GET, HEAD"],
    ["/openapi.json", "PUT", 405, "GET, HEAD"],
    ["/docs", "PATCH", 405, "GET, HEAD"],
  ] as const) {
    const reply = await ask(url + path, { method });
    assert.deepEqual([reply.status, reply.headers.get("allow")], [status, allow], `${method} ${path}`);
    assert.equal(reply.headers.get("content-type"), "application/problem+json");
    if (method !== "HEAD") assert.equal(reply.body.status, status);
    assert.equal(reply.headers.get("access-control-allow-origin"), null);
  }
  const head = await ask(`${url}/books`, { method: "HEAD" });
  assert.deepEqual([head.status, head.body], [200, ""]);
  assert.deepEqual((await ask(`${url}/health`)).body, { status: "ok" });
});

test("pages of allowed origins may ask and read ETag; others get 403 and no CORS headers", { timeout }, async (t) => {
  const { url } = await serve(t, { allowedOrigins: ["https://app.example"], allowedHosts: ["books.example"] });
  const preflight = await ask(`${url}/books`, {
    method: "OPTIONS",
    headers: { origin: "https://app.example", "access-control-request-method": "POST" },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), "https://app.example");
  const reply = await ask(`${url}/books`, { headers: { origin: "https://app.example" } });
  assert.equal(reply.headers.get("access-control-allow-origin"), "https://app.example");
  assert.match(reply.headers.get("access-control-expose-headers") ?? "", /ETag/);
  const named = await sendRaw(t, url, "GET /books HTTP/1.1\r\nhost: Books.example:80\r\nconnection: close\r\n\r\n");
  assert.equal(statusOf(named), 200);
  const foreign = await ask(`${url}/books`, { headers: { origin: "https://evil.example" } });
  assert.equal(foreign.status, 403);
  assert.equal(foreign.headers.get("access-control-allow-origin"), null);
});

test("startServer() is not opened to a network without a token, unless insecure", { timeout }, async (t) => {
  await assert.rejects(serve(t, { host: "0.0.0.0" }), { code: "ERR_NO_TOKEN" });
  for (const options of [{ token: TOKEN }, { insecure: true }]) {
    const { url } = await serve(t, { host: "0.0.0.0", ...options });
    const status = "token" in options ? 401 : 200;
    assert.equal((await ask(`${url.replace("0.0.0.0", "127.0.0.1")}/books`)).status, status);
  }
});

test("with a token: who does not show it gets 401 for whatever it asks, and nothing is done", {
  timeout,
}, async (t) => {
  const { url, events } = await serve(t, { token: TOKEN, firstBooks: [{ id: "emma", ...draft("Emma") }] });
  const shown = { authorization: `Bearer ${TOKEN}` };
  const strangers = [{}, { authorization: `Bearer ${TOKEN}x` }, { authorization: `Basic ${btoa(`${TOKEN}:`)}` }];
  const paths = ["/", "/books", "/books/emma", "/changes", "/health", "/docs", "/openapi.json", "/nothing", "/page.js"];
  for (const stranger of strangers) {
    for (const path of paths) {
      const { status, headers } = await ask(`${url}${path}`, { headers: stranger });
      assert.equal(status, 401, path);
      assert.equal(headers.get("content-type"), "application/problem+json");
      assert.match(headers.get("www-authenticate") ?? "", /^Basic realm="[^"]+", charset="UTF-8"$/);
    }
    const writes = { headers: { ...stranger, "if-match": "*" } };
    assert.equal((await ask(`${url}/books/emma`, { ...writes, method: "DELETE" })).status, 401);
    assert.equal((await ask(`${url}/books`, { ...writes, method: "POST", body: draft("Mine") })).status, 401);
  }
  assert.deepEqual(
    new Set(events.map((event) => (event.type === "refused" ? event.status : event.type))),
    new Set([401, "answered"]),
  );
  for (const headers of [shown, { authorization: `Basic ${btoa(`anybody:${TOKEN}`)}` }]) {
    const { status, body } = await ask(`${url}/books`, { headers });
    assert.deepEqual([status, body.books.length, body.books[0].title], [200, 1, "Emma"]);
    assert.equal((await ask(`${url}/health`, { headers })).status, 200);
  }
});

test("with a token: pages of allowed origins ask without it first, as browsers do, and then with it", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { token: TOKEN, allowedOrigins: ["https://app.example"] });
  const origin = "https://app.example";
  const asks = { "access-control-request-method": "GET", "access-control-request-headers": "authorization" };
  const preflight = await ask(`${url}/books`, { method: "OPTIONS", headers: { origin, ...asks } });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /authorization/);
  assert.equal((await ask(`${url}/books`, { headers: { origin } })).status, 401);
  assert.equal((await ask(`${url}/books`, { headers: { origin, authorization: `Bearer ${TOKEN}` } })).status, 200);
});

test("who asks too often gets 429 with Retry-After, 0 is no limit", { timeout }, async (t) => {
  const { url } = await serve(t, { rateLimit: 5 });
  const replies = [];
  for (let i = 0; i < 8; i++) replies.push(await ask(i % 2 === 0 ? `${url}/books` : `${url}/nothing`));
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 404, 200, 404, 200, 429, 429, 429],
  );
  const [last] = replies.slice(-1);
  assert.ok(Number(last?.headers.get("retry-after")) > 0);
  assert.equal(last?.headers.get("content-type"), "application/problem+json");
  const free = await serve(t, { rateLimit: 0 });
  const many = await Promise.all(Array.from({ length: 50 }, () => ask(`${free.url}/health`)));
  assert.ok(many.every(({ status, headers }) => status === 200 && headers.get("ratelimit-limit") === null));
});

test("the OpenAPI document is valid 3.1, names every route, and has a page", { timeout }, async (t) => {
  const { url } = await serve(t);
  const { body, status } = await ask(`${url}/openapi.json`);
  assert.equal(status, 200);
  assert.equal(body.openapi, "3.1.0");
  const { valid, errors } = await new Validator().validate(body);
  assert.ok(valid, JSON.stringify(errors));
  const routes = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  );
  assert.deepEqual(routes.sort(), [
    "delete /books/{id}",
    "get /books",
    "get /books/{id}",
    "get /changes",
    "get /health",
    "patch /books/{id}",
    "post /books",
    "put /books/{id}",
  ]);
  const docs = await ask(`${url}/docs`);
  assert.match(docs.body, /swagger-ui/i);
  assert.match(docs.headers.get("content-security-policy") ?? "", /script-src 'self';/);
  const page = await ask(`${url}/`);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  assert.match(
    page.headers.get("content-security-policy") ?? "",
    /default-src 'none';script-src 'self';style-src 'self'/,
  );
  assert.equal((await ask(`${url}/books`)).headers.get("content-security-policy"), null);
});

test("a new database has a shelf of books, once: also when it was emptied, also with two instances", {
  timeout,
}, async (t) => {
  const database = await temporaryDatabase(t);
  const firstBooks = [
    { id: "emma", ...draft("Emma") },
    { id: "walden", ...draft("Walden") },
  ];
  const [first, second] = await Promise.all([serve(t, { database, firstBooks }), serve(t, { database, firstBooks })]);
  assert.equal((await ask(`${first.url}/books`)).body.books.length, 2);
  for (const id of ["emma", "walden"])
    await ask(`${second.url}/books/${id}`, { method: "DELETE", headers: { "if-match": "*" } });
  await Promise.all([first.server.close(), second.server.close()]);
  const third = await serve(t, { database, firstBooks });
  assert.deepEqual((await ask(`${third.url}/books`)).body, { books: [] });
});

test("connections above maxConnections are closed as they come, the others go on", { timeout }, async (t) => {
  const { url } = await serve(t, { maxConnections: 1 });
  const first = await dial(t, url);
  const second = await dial(t, url);
  await once(second.resume(), "close");
  first.write("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const [answer] = await once(first, "data");
  assert.equal(statusOf(String(answer)), 200);
});

test("with fsync each write is on the disk before it is answered", { timeout }, async (t) => {
  for (const [isSynced, level] of [
    [false, 1],
    [true, 2],
  ] as const) {
    const database = await openDatabase(await temporaryDatabase(t), isSynced);
    t.after(() => database.close());
    // 1 is NORMAL, 2 is FULL; of the connection that writes.
    const [synchronous] = await database.write(["SELECT synchronous FROM pragma_synchronous"]);
    assert.equal(Object.values(synchronous?.rows[0] ?? {})[0], level);
  }
});

test("options that make no sense are refused before anything is opened", { timeout }, async (t) => {
  const database = await temporaryDatabase(t);
  for (const options of [
    { graceMs: -1 },
    { pollMs: 0 },
    { maxBodyBytes: 0 },
    { maxWatchers: 0 },
    { idleTimeoutMs: 1.5 },
  ]) {
    await assert.rejects(serve(t, { database, ...options }), RangeError, JSON.stringify(options));
  }
  await assert.rejects(serve(t, { host: "" }), TypeError);
  await assert.rejects(serve(t, { database, token: "short" }), RangeError);
  await assert.rejects(serve(t, { database: "postgres://x" }), { code: "ERR_DATABASE" });
  await assert.rejects(serve(t, { database: "file:/nowhere/at/all/books.db" }), { code: "ERR_DATABASE" });
});
