import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { type AnswerError, connect } from "../src/index.ts";
import { draft, freeUrl, serve, TOKEN } from "./support.ts";

const timeout = 30_000;

/** A server that is not ours. */
async function listen(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

/** Answers `/health` as ours does, the rest as `listener` says. */
const pretend = (t: TestContext, listener: RequestListener) =>
  listen(
    t,
    createServer((request, response) => {
      if (request.url === "/health") response.end('{"status":"ok"}');
      else listener(request, response);
    }),
  );

test("the client creates, reads, lists, changes and deletes", { timeout }, async (t) => {
  const { url } = await serve(t);
  const client = await connect(url);
  t.after(() => client.close());
  const emma = await client.create(draft("Emma"));
  assert.equal(emma.id, "emma");
  assert.equal((await client.create(draft("Walden"), "thoreau")).id, "thoreau");
  assert.deepEqual(await client.get("emma"), emma);
  const rated = await client.patch(emma, { rating: 4, notes: "Good." });
  assert.deepEqual([rated.rating, rated.notes], [4, "Good."]);
  assert.equal((await client.replace(rated, draft("Emma again"))).rating, undefined);
  const page = await client.list({ sort: "-title", limit: 1 });
  assert.deepEqual([page.books[0]?.id, typeof page.next], ["thoreau", "string"]);
  const last = await client.list({ sort: "-title", limit: 1, cursor: page.next });
  assert.deepEqual([last.books[0]?.title, last.next], ["Emma again", undefined]);
  await client.remove(last.books[0] ?? emma);
  await assert.rejects(client.get("emma"), { code: "ERR_NOT_FOUND", status: 404 });
});

test("what the server refuses rejects with code, status and problem", { timeout }, async (t) => {
  const { url } = await serve(t, { rateLimit: 8 });
  const client = await connect(url);
  t.after(() => client.close());
  const emma = await client.create(draft("Emma"));
  await client.patch(emma, { rating: 4 });
  await assert.rejects(client.patch(emma, { rating: 5 }), (error: AnswerError) => {
    assert.deepEqual([error.code, error.status, error.problem?.title], ["ERR_CONFLICT", 412, "Precondition Failed"]);
    assert.match(error.message, /^Cannot change book 'emma': Somebody has changed this book/);
    return true;
  });
  await assert.rejects(client.create(draft("Emma"), "emma"), { code: "ERR_CONFLICT", status: 412 });
  await assert.rejects(client.create({ ...draft(""), year: 1.5 }), (error: AnswerError) => {
    assert.deepEqual([error.code, error.status], ["ERR_REFUSED", 400]);
    assert.deepEqual(
      error.problem?.errors?.map(({ pointer }) => pointer),
      ["/title", "/title", "/year"],
    );
    return true;
  });
  await assert.rejects(client.get("../health"), { code: "ERR_REFUSED", status: 400 });
  await client.get("emma");
  await assert.rejects(client.get("emma"), (error: AnswerError) => {
    assert.deepEqual([error.code, error.status], ["ERR_RATE_LIMIT", 429]);
    assert.ok((error.retryAfterMs ?? 0) > 0);
    return true;
  });
});

test("a server that is none, or answers rubbish, is a typed error", { timeout }, async (t) => {
  const cases: [string, RequestListener, string][] = [
    ["no JSON", (_, response) => response.end("<html>"), "ERR_PROTOCOL"],
    ["another shape", (_, response) => response.end('{"id":"emma"}'), "ERR_PROTOCOL"],
    ["too large", (_, response) => response.end("x".repeat(70_000)), "ERR_PROTOCOL"],
    ["500 without a problem", (_, response) => response.writeHead(500).end("stack"), "ERR_SERVER"],
    ["a redirect", (_, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(), "ERR_REFUSED"],
    [
      "a cut answer",
      (_, response) => {
        response.writeHead(200, { "content-length": 10 });
        response.write("x", () => response.socket?.destroy());
      },
      "ECONNRESET",
    ],
    ["silence", () => {}, "ETIMEDOUT"],
    [
      "an answer that drips",
      (_, response) => {
        response.writeHead(200);
        const drip = setInterval(() => response.write(" "), 20);
        response.on("close", () => clearInterval(drip));
      },
      "ETIMEDOUT",
    ],
  ];
  for (const [what, listener, code] of cases) {
    const client = await connect(await pretend(t, listener), { timeoutMs: 500, maxResponseBytes: 65_536 });
    const begun = performance.now();
    await assert.rejects(client.get("emma"), { code }, what);
    assert.ok(performance.now() - begun < 5_000, what);
    await client.close();
  }
  const noise = await listen(
    t,
    createTcpServer((socket) => socket.end("SSH-2.0-OpenSSH\r\n")),
  );
  await assert.rejects(connect(noise), { code: "ERR_PROTOCOL" });
});

test("what only reads is asked again after a cut; a write is not: it may have been done", { timeout }, async (t) => {
  const asked = { GET: 0, POST: 0 };
  const url = await pretend(t, ({ method, socket }, response) => {
    const count = ++asked[method as "GET" | "POST"];
    if (count === 1 || method === "POST") return void socket.destroy();
    response.end(JSON.stringify({ ...draft("Emma"), id: "emma", version: 1, updatedAt: "now" }));
  });
  const client = await connect(url);
  t.after(() => client.close());
  assert.equal((await client.get("emma")).title, "Emma");
  assert.equal(asked.GET, 2);
  await assert.rejects(client.create(draft("Emma")), { code: "ECONNRESET" });
  assert.equal(asked.POST, 1);
});

test("a server that falls silent while its changes are followed is given up and asked anew", { timeout }, async (t) => {
  const asked: (string | undefined)[] = [];
  const url = await pretend(t, ({ headers }, response) => {
    asked.push(headers["last-event-id"] as string | undefined);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`id: 7\nevent: ${asked.length === 1 ? "ready" : "reset"}\ndata: {}\n\n`);
  });
  const lost: string[] = [];
  const client = await connect(url, { silenceMs: 200, onEvent: ({ type }) => lost.push(type) });
  t.after(() => client.close());
  const heard: string[] = [];
  for await (const { type } of client.follow()) if (heard.push(type) === 2) break;
  assert.deepEqual(heard, ["ready", "reset"]);
  assert.deepEqual(asked, [undefined, "7"]);
  assert.deepEqual(lost, ["disconnected"]);
});

test("1,000 answers over one connection: the limit is of one answer", { timeout }, async (t) => {
  const { url } = await serve(t, { firstBooks: [{ id: "emma", ...draft("Emma") }] });
  const client = await connect(url, { maxConnections: 1, maxResponseBytes: 4_096 });
  t.after(() => client.close());
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 100 }, () => client.get("emma")));
  }
});

test("the client shows its token with all it asks; without the right one it is not waited for", {
  timeout,
}, async (t) => {
  const { url, server } = await serve(t, { token: TOKEN });
  for (const token of [undefined, `${TOKEN}x`]) {
    const error = { code: "ERR_WRONG_TOKEN", status: 401, message: `Cannot connect to ${url}: it wants a token` };
    await assert.rejects(connect(url, { token }), error);
  }
  const client = await connect(url, { token: TOKEN });
  t.after(() => client.close());
  const changes = client.follow()[Symbol.asyncIterator]();
  assert.equal((await changes.next()).value?.type, "ready");
  const emma = await client.create(draft("Emma"));
  assert.equal((await changes.next()).value?.type, "change");
  await client.remove(await client.patch(emma, { rating: 4 }));
  assert.deepEqual((await client.list()).books, []);

  await server.close();
  await serve(t, { token: `${TOKEN}-another`, port: Number(new URL(url).port) });
  await assert.rejects(client.get("emma"), {
    code: "ERR_WRONG_TOKEN",
    message: "Cannot get book 'emma': it wants a token",
  });
  await assert.rejects(
    async () => {
      for (;;) await changes.next();
    },
    { code: "ERR_WRONG_TOKEN", message: "Cannot follow changes: it wants a token" },
  );
});

test("a token that nobody wants does no harm; what is none is refused", { timeout }, async (t) => {
  const { url } = await serve(t);
  const client = await connect(url, { token: TOKEN });
  t.after(() => client.close());
  assert.deepEqual((await client.list()).books, []);
  await assert.rejects(connect(url, { token: "short" }), RangeError);
});

test("nobody there, no address, too many at once, closed", { timeout }, async (t) => {
  const nobody = await freeUrl();
  await assert.rejects(connect(nobody, { waitMs: 0 }), {
    code: "ECONNREFUSED",
    message: `Cannot connect at ${nobody}: nobody listens there`,
  });
  await assert.rejects(connect("localhost:3000"), { code: "ERR_INVALID_URL" });
  await assert.rejects(connect("https://127.0.0.1:3000"), { code: "ERR_INVALID_URL" });
  await assert.rejects(connect(nobody, { timeoutMs: -1 }), RangeError);
  await assert.rejects(connect(nobody, { signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });

  const { url } = await serve(t, { firstBooks: [{ id: "emma", ...draft("Emma") }] });
  const client = await connect(url, { maxInFlight: 2 });
  const [one, two, three] = await Promise.allSettled([client.get("emma"), client.get("emma"), client.get("emma")]);
  assert.deepEqual([one.status, two.status, three.status], ["fulfilled", "fulfilled", "rejected"]);
  assert.equal(three.status === "rejected" && three.reason.code, "ENOBUFS");
  const last = client.get("emma");
  await Promise.all([client.close(), client.close()]);
  assert.equal((await last).title, "Emma", "what was asked before close() is answered");
  await assert.rejects(client.get("emma"), { code: "EPIPE" });
});
