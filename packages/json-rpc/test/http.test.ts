import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { request } from "undici";
import { dial, post, receive, serve } from "./support.ts";

const timeout = 20_000;
const CALL = '{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}';
const ANSWER = '{"jsonrpc":"2.0","id":1,"result":3}';
const JSON_TYPE = { "content-type": "application/json" };

/** Sends a request as bytes; gives the status and the body of the answer, which must be a problem or JSON-RPC. */
async function sendRaw(t: TestContext, url: string, head: readonly string[], body = "") {
  const socket = await dial(t, url);
  const received = receive(socket);
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  const answer = String(await received);
  const [start = "", text = ""] = answer.split("\r\n\r\n");
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(start)?.[1]);
  const type = /^content-type: (\S+?);?( |$)/im.exec(start)?.[1];
  return { status, type, text, isProblem: type === "application/problem+json" && JSON.parse(text).status === status };
}

const postHead = (...headers: string[]) => [
  "POST / HTTP/1.1",
  "Connection: close",
  `Content-Length: ${CALL.length}`,
  ...headers,
];

test("a Host that is not the server's is misdirected (421), unless it is allowed", { timeout }, async (t) => {
  const { http, events } = await serve(t, { allowedHosts: ["rpc.example"] });
  const send = (host: string) => post(http, CALL, { ...JSON_TYPE, host });
  const { status, headers, text } = await send("evil.example");
  assert.equal(status, 421);
  assert.match(String(headers["content-type"]), /^application\/problem\+json/);
  assert.equal(JSON.parse(text).detail, "this server is not 'evil.example': allow it with --allowed-hosts");
  assert.equal((await send("rpc.example:80")).text, ANSWER);
  assert.equal((await send("localhost")).text, ANSWER);
  assert.deepEqual(
    events.map((event) => event.type === "rejected" && event.status),
    [421],
  );
});

test("a page of another origin may not call (403), unless it is allowed", { timeout }, async (t) => {
  const { http } = await serve(t, { allowedOrigins: ["https://app.example"] });
  const send = (origin: string) => post(http, CALL, { ...JSON_TYPE, origin });
  for (const origin of ["http://evil.example", "null", "http://127.0.0.1:1"]) {
    const { status, headers } = await send(origin);
    assert.equal(status, 403, origin);
    assert.equal(headers["access-control-allow-origin"], undefined);
  }
  assert.equal((await send("https://app.example")).text, ANSWER);
  assert.equal((await send(http)).text, ANSWER);
});

test("two Host lines are refused (400)", { timeout }, async (t) => {
  const { http } = await serve(t);
  const twice = postHead("Host: 127.0.0.1", "Host: 127.0.0.1", "Content-Type: application/json");
  const { status, isProblem } = await sendRaw(t, http, twice, CALL);
  assert.deepEqual({ status, isProblem }, { status: 400, isProblem: true });
  const once = postHead("Host: 127.0.0.1", "Content-Type: application/json");
  assert.equal((await sendRaw(t, http, once, CALL)).text, ANSWER);
});

test("JSON under another name is not taken (415)", { timeout }, async (t) => {
  const { http } = await serve(t);
  const wrong = [
    "text/plain",
    "text/plain;application/json",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json-seq",
    "application/json a",
    "application/json\ta",
    "\tapplication/jsonx",
    "application /json",
    "",
  ];
  for (const type of wrong) {
    const head = postHead("Host: 127.0.0.1", `Content-Type: ${type}`);
    const { status, isProblem } = await sendRaw(t, http, head, CALL);
    assert.deepEqual({ status, isProblem }, { status: 415, isProblem: true }, JSON.stringify(type));
  }
  const none = await sendRaw(t, http, postHead("Host: 127.0.0.1"), CALL);
  assert.deepEqual([none.status, none.isProblem], [415, true]);
  const bare = await sendRaw(t, http, ["POST / HTTP/1.1", "Connection: close", "Host: 127.0.0.1"]);
  assert.deepEqual([bare.status, bare.isProblem], [415, true]);
  for (const type of [
    "application/json",
    "Application/JSON; charset=utf-8",
    "application/json ;a=b",
    " application/json\t",
  ]) {
    const right = await sendRaw(t, http, postHead("Host: 127.0.0.1", `Content-Type: ${type}`), CALL);
    assert.equal(right.text, ANSWER, JSON.stringify(type));
  }
});

test("a body that is compressed is not taken (415)", { timeout }, async (t) => {
  const { http } = await serve(t);
  const { status } = await post(http, gzipSync(CALL), { ...JSON_TYPE, "content-encoding": "gzip" });
  assert.equal(status, 415);
});

test("a body above the limit is refused (413), announced or in chunks", { timeout }, async (t) => {
  const { http } = await serve(t, { maxFrameBytes: 100 });
  const fitting = CALL.padEnd(100);
  assert.equal((await post(http, fitting)).text, ANSWER);
  const announced = await post(http, `${fitting} `);
  assert.equal(announced.status, 413);
  assert.equal(JSON.parse(announced.text).detail, "the body is above 100 bytes");
  const head = ["POST / HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", "Transfer-Encoding: chunked"];
  const chunk = `32\r\n${" ".repeat(50)}\r\n`;
  const chunked = await sendRaw(t, http, head, `${chunk}${chunk}${chunk}0\r\n\r\n`);
  assert.deepEqual([chunked.status, chunked.isProblem], [413, true]);
});

test("what is no POST to / gets a problem: 405 with Allow, 404", { timeout }, async (t) => {
  const { http } = await serve(t);
  for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] as const) {
    const { statusCode, headers, body } = await request(http, { method });
    assert.equal(statusCode, 405, method);
    assert.equal(headers["allow"], "POST", method);
    assert.match(String(headers["content-type"]), /^application\/problem\+json/);
    assert.equal((await body.text()).length > 0, method !== "HEAD");
  }
  assert.equal((await post(`${http}/rpc`, CALL)).status, 404);
  assert.equal((await post(`${http}/%`, CALL)).status, 400);
  assert.equal((await post(`${http}/?a=b`, CALL)).text, ANSWER);
});

test("what is no HTTP gets a problem too, and the connection is closed", { timeout }, async (t) => {
  const { http } = await serve(t);
  const cases: [head: string[], status: number][] = [
    [["garbage"], 400],
    [["POST / HTTP/1.1", "Host: 127.0.0.1", "Content-Length: 3", "Content-Length: 4"], 400],
    [["POST / HTTP/1.1", "Host: 127.0.0.1", "Content-Length: 3", "Transfer-Encoding: chunked"], 400],
    [["POST / HTTP/1.1", "Content-Length: 0", "Connection: close"], 400],
    [["POST / HTTP/1.1", "Host: 127.0.0.1", "Expect: wonders", "Connection: close"], 417],
    [["GET / HTTP/1.1", "Host: 127.0.0.1", `X: ${"x".repeat(20_000)}`], 431],
  ];
  for (const [head, expected] of cases) {
    const { status, isProblem } = await sendRaw(t, http, head);
    assert.deepEqual({ status, isProblem }, { status: expected, isProblem: true }, head.join(" | ").slice(0, 80));
  }
});

test("a request that drips in is cut off: 408 for its headers and for its body", { timeout }, async (t) => {
  const { http } = await serve(t, { headersTimeoutMs: 100, requestTimeoutMs: 200 });
  const socket = await dial(t, http);
  const slowHeaders = receive(socket);
  socket.write("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  const slowBody = sendRaw(
    t,
    http,
    ["POST / HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", "Content-Length: 99"],
    "{",
  );
  assert.match(String(await slowHeaders), /^HTTP\/1\.1 408 .*"status":408/s);
  assert.equal((await slowBody).status, 408);
});

test("bytes that are no UTF-8 are a parse error, not something else", { timeout }, async (t) => {
  const { http, told } = await serve(t);
  const bytes = Buffer.from('{"jsonrpc":"2.0","method":"echo","params":["\u00ff"],"id":1}', "latin1");
  const { status, text } = await post(http, bytes);
  assert.equal(status, 200);
  assert.equal(JSON.parse(text).error.code, -32700);
  assert.equal((await told("rejected")).reason, "it was no JSON");
});
