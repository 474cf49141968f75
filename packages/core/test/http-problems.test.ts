import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type ServerOptions } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { CHALLENGE, type Problem, problem } from "../src/http-guard.ts";
import { endWithProblem, problemOf, refuseExpectation, refuseUnreadable, sendProblem } from "../src/http-problems.ts";

const timeout = 20_000;

async function listen(t: TestContext, options: ServerOptions = {}, listener: RequestListener = () => {}) {
  const refused: (Problem | undefined)[] = [];
  const server = createServer({ connectionsCheckingInterval: 20, ...options }, listener);
  server.on("clientError", (error, socket) => refused.push(refuseUnreadable(error, socket)));
  server.on("checkExpectation", (request, response) => refused.push(refuseExpectation(request, response)));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  async function dial(bytes: string): Promise<Socket> {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    await once(socket, "connect");
    socket.write(bytes);
    return socket;
  }
  return { server, refused, dial };
}

/** The parts of an answer that ends the connection; its length is what it says. */
function read(answer: string) {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  assert.match(head, /^content-type: application\/problem\+json$/im);
  assert.match(head, /^connection: close$/im);
  assert.match(head, new RegExp(`^content-length: ${Buffer.byteLength(body)}$`, "im"));
  const found = JSON.parse(body) as Problem;
  assert.equal(head.split("\r\n")[0], `HTTP/1.1 ${found.status} ${found.title}`);
  return found;
}

const POST = "POST / HTTP/1.1\r\nhost: localhost\r\n";

test("what Node cannot read is answered as a problem, and the connection closed", { timeout }, async (t) => {
  const { dial, refused } = await listen(t, { headersTimeout: 100, requestTimeout: 100 });
  for (const [bytes, status] of [
    ["Good day\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nhost localhost\r\n\r\n", 400],
    [`${POST}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
    [`${POST}transfer-encoding: chunked\r\n\r\nxyz\r\n`, 400],
    [`GET / HTTP/1.1\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    [`${POST}transfer-encoding: chunked\r\n\r\n1;${"x".repeat(20_000)}\r\n`, 413],
    [POST, 408],
    [`${POST}content-length: 9\r\n\r\nhalf`, 408],
  ] as const) {
    const found = read(await text(await dial(bytes)));
    assert.equal(found.status, status, bytes.slice(0, 80));
    assert.deepEqual(refused.pop(), found);
    assert.equal(refused.length, 0, "told once");
  }
});

test("an expectation that nobody has is 417", { timeout }, async (t) => {
  const { dial, refused } = await listen(t);
  const found = read(await text(await dial(`${POST}expect: cake\r\n\r\n`)));
  assert.equal(found.status, 417);
  assert.deepEqual(refused, [found]);
});

test("what comes behind a request never ends up in the middle of its answer", { timeout }, async (t) => {
  const { dial, refused } = await listen(t, {}, (_request, response) => response.write("a stream without an end"));
  const socket = await dial("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "data");
  socket.write("Good day\r\n\r\n");
  await once(socket, "close");
  assert.equal(
    Buffer.concat(chunks)
      .toString()
      .match(/HTTP\/1\.1/g)?.length,
    1,
  );
  assert.deepEqual(refused, [undefined]);
});

test("who has gone is not answered", { timeout }, async (t) => {
  const { dial, refused, server } = await listen(t);
  const socket = await dial(`${POST}content-length: 9\r\n\r\nhalf`);
  await once(server, "request");
  const told = once(server, "clientError");
  socket.resetAndDestroy();
  await told;
  assert.deepEqual(refused, [undefined]);
});

test("a refused upgrade is answered, with further headers, also when the other side is reset", {
  timeout,
}, async (t) => {
  const { server, dial } = await listen(t);
  server.on("upgrade", (_request, socket) => endWithProblem(socket, problem(426, "13 is wanted"), { upgrade: "x" }));
  const upgrade = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
  const answer = await text(await dial(upgrade));
  assert.equal(read(answer).status, 426);
  assert.match(answer, /^upgrade: x\r$/m);
  const reset = await dial(upgrade);
  reset.resetAndDestroy();
  assert.equal(read(await text(await dial(upgrade))).status, 426, "it goes on");
});

test("401 asks for the token, on a request and on an upgrade; nothing else does", { timeout }, async (t) => {
  let status = 401;
  const { server, dial } = await listen(t, {}, (_request, response) =>
    sendProblem(response, problem(status, "no"), { connection: "close" }),
  );
  server.on("upgrade", (_request, socket) => endWithProblem(socket, problem(status, "no")));
  const get = "GET / HTTP/1.1\r\nhost: localhost\r\n";
  for (const request of [`${get}\r\n`, `${get}connection: upgrade\r\nupgrade: x\r\n\r\n`]) {
    status = 401;
    const answer = await text(await dial(request));
    assert.equal(read(answer).status, 401);
    assert.ok(answer.includes(`\r\nwww-authenticate: ${CHALLENGE}\r\n`), answer);
    status = 403;
    assert.doesNotMatch(await text(await dial(request)), /www-authenticate/);
  }
});

test("an error says what is the sender's business, and no more", () => {
  const thrown = (statusCode: number) => Object.assign(new Error("said so"), { statusCode });
  for (const status of [400, 404, 413, 415, 499, 503]) {
    assert.deepEqual(problemOf(thrown(status)), problem(status, "said so"));
  }
  for (const error of [thrown(200), thrown(500), thrown(502), new Error("secret"), "secret", null, undefined]) {
    const found = problemOf(error);
    assert.equal(found.status, 500);
    assert.doesNotMatch(found.detail, /secret|said so/);
  }
  assert.equal(problemOf(thrown(413), { 413: "above 10 bytes" }).detail, "above 10 bytes");
});
