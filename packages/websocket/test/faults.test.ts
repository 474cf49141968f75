/** What comes from outside and is not meant well: handshakes, frames, sizes, slowness. */
import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, ECHO } from "../src/index.ts";
import {
  bin,
  closed,
  dial,
  dialUpgraded,
  ended,
  frame,
  handshake,
  join,
  nextText,
  open,
  receive,
  serve,
  take,
} from "./support.ts";

const timeout = 30_000;

const handshakes: [what: string, wire: string, status: number][] = [
  ["no Origin: a program", handshake(), 101],
  ["the page's own Origin", handshake({ Origin: "http://127.0.0.1" }), 101],
  ["an Origin that is allowed", handshake({ Origin: "https://app.example" }), 101],
  ["a foreign Origin", handshake({ Origin: "https://evil.example" }), 403],
  ["a sandboxed page", handshake({ Origin: "null" }), 403],
  ["an Origin that only begins like ours", handshake({ Origin: "http://127.0.0.1.evil.example" }), 403],
  ["a foreign Host: DNS rebinding", handshake({ Host: "evil.example" }), 421],
  ["two Hosts", handshake({ Cookie: "a\r\nHost: 127.0.0.1" }), 400],
  ["no Host", handshake({ Host: undefined }), 400],
  ["no version", handshake({ "Sec-WebSocket-Version": undefined }), 426],
  ["version 8, which ws takes", handshake({ "Sec-WebSocket-Version": "8" }), 426],
  ["no key", handshake({ "Sec-WebSocket-Key": undefined }), 400],
  ["a bad key", handshake({ "Sec-WebSocket-Key": "c2hvcnQ=" }), 400],
  ["another upgrade", handshake({ Upgrade: "h2c" }), 400],
  ["a POST", handshake().replace("GET", "POST"), 405],
  ["another path", handshake().replace("GET /", "GET /chat"), 404],
  ["subprotocols that nobody knows", handshake({ "Sec-WebSocket-Protocol": "chat, superchat" }), 400],
  ["a list without sense", handshake({ "Sec-WebSocket-Protocol": ",,\t" }), 400],
  ["3,000 headers", handshake({ "X-0": Array.from({ length: 3_000 }, (_, i) => `1\r\nX-${i}: 1`).join("") }), 431],
  ["no HTTP", "\u0016\u0003\u0001\u0002\r\n\r\n", 400],
];

test(`handshakes: ${handshakes.length} kinds, each refused one with a reason`, { timeout }, async (t) => {
  const { url, events } = await serve(t, { allowedOrigins: ["https://app.example"] });
  for (const [what, wire, status] of handshakes) {
    const socket = await dial(t, url);
    socket.write(wire);
    const answer = (await receive(socket, (all) => all.includes("\r\n\r\n"))).toString();
    assert.equal(Number(answer.split(" ")[1]), status, `${what}: ${answer}`);
    if (status === 426) assert.match(answer, /^sec-websocket-version: 13/im);
    socket.destroy();
  }
  const refused = events.filter(({ type }) => type === "refused");
  // ws itself refuses the two keys.
  assert.equal(refused.length, handshakes.filter(([, , status]) => status !== 101).length - 2);
});

const requests: [what: string, wire: string, status: number][] = [
  ["the page", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200],
  ["its script", "GET /page.js?v=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200],
  ["HEAD", "HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200],
  ["what is not there", "GET /../package.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404],
  ["a foreign Host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421],
  ["a foreign Origin", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\n\r\n", 403],
  ["a body", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\n12345", 413],
  ["a body in chunks", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413],
  ["JSON", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 405],
  ["two lengths", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1", 400],
];

test(`requests: ${requests.length} kinds, each refused one as a problem`, { timeout }, async (t) => {
  const { url } = await serve(t);
  for (const [what, wire, status] of requests) {
    const socket = await dial(t, url);
    socket.write(wire);
    const answer = (await receive(socket, (all) => all.includes("\r\n\r\n"))).toString();
    assert.equal(Number(answer.split(" ")[1]), status, `${what}: ${answer}`);
    const type = status === 200 ? /^content-type: text\//im : /^content-type: application\/problem\+json/im;
    assert.match(answer, type, what);
    socket.destroy();
  }
});

const close = (code: number, reason = "") =>
  Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
const frames: [what: string, wire: Buffer, code: number][] = [
  ["no JSON", frame("{five:5}"), 1007],
  ["an empty message", frame(""), 1007],
  ["UTF-8 that is none", frame(Buffer.from([0x22, 0xff, 0x22])), 1007],
  ["a surrogate in UTF-8", frame(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), 1007],
  ["UTF-8 that is too long", frame(Buffer.from([0x22, 0xc0, 0xaf, 0x22])), 1007],
  ["binary", frame("{}", { opcode: 2 }), 1003],
  ["no mask", Buffer.from([0x81, 0x01, 0x31]), 1002],
  ["an opcode that is not given away", frame("1", { opcode: 3 }), 1002],
  ["a control opcode that is not given away", frame("", { opcode: 11 }), 1002],
  ["a reserved bit", frame("1", { flags: 0x20 }), 1002],
  ["compression that was not agreed on", frame("1", { flags: 0x40 }), 1002],
  ["a continuation of nothing", frame("1", { opcode: 0 }), 1002],
  ["a message inside a message", Buffer.concat([frame("1", { isLast: false }), frame("2")]), 1002],
  ["a ping in pieces", frame("", { opcode: 9, isLast: false }), 1002],
  ["a ping of 126 bytes", frame("a".repeat(126), { opcode: 9 }), 1002],
  ["a close of one byte", frame("a", { opcode: 8 }), 1002],
  ["a close with 1005", frame(close(1005), { opcode: 8 }), 1002],
  ["a close with 999", frame(close(999), { opcode: 8 }), 1002],
  ["a close whose reason is no UTF-8", frame(Buffer.concat([close(1000), Buffer.from([0xff])]), { opcode: 8 }), 1007],
  ["a length above 2^53", Buffer.from([0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]), 1009],
  ["a close", frame(close(1000, "bye"), { opcode: 8 }), 1000],
  ["a close of our own kind", frame(close(4321), { opcode: 8 }), 4321],
];

test(`frames: ${frames.length} kinds, each answered with its close code`, { timeout }, async (t) => {
  const { url } = await serve(t);
  for (const [what, wire, code] of frames) {
    const socket = await dialUpgraded(t, url);
    socket.write(wire);
    const answer = await receive(socket, (all) => all.length >= 4 && all[0] === 0x88);
    assert.equal(answer[0], 0x88, `${what}: a close frame`);
    assert.equal(answer.readUInt16BE(2), code, what);
    socket.destroy();
  }
  const { client } = await join(t, url);
  client.send("still here");
  assert.deepEqual(await take(client, 1), ["still here"]);
});

test("20 clients with thousands of fragments that never end hold 2 MiB at most", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  await (await connect(url)).close();
  const idleMib = residentMib(server.pid) ?? 0;
  const pieces = Buffer.concat([
    frame('"', { isLast: false }),
    ...Array.from({ length: 16_299 }, () => frame("a", { opcode: 0, isLast: false })),
  ]);
  const codes = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const socket = await dialUpgraded(t, url);
      socket.write(pieces);
      const answer = await receive(socket, (all) => all.length >= 4);
      return answer.readUInt16BE(2);
    }),
  );
  assert.deepEqual(new Set(codes), new Set([1008]));
  const grownMib = (residentMib(server.pid) ?? 0) - idleMib;
  assert.ok(grownMib < 16, `grew by ${grownMib} MiB, garbage not collected yet included`);
  t.diagnostic(`grew by ${grownMib.toFixed(1)} MiB`);
});

test("bytes by chance: every connection ends, the server goes on", { timeout: 120_000 }, async (t) => {
  const { url } = await serve(t, { graceMs: 500 });
  const connections = process.env["IPC_HEAVY"] ? 20_000 : 300;
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state & 0xff;
  };
  for (let done = 0; done < connections; done += 50) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const socket = index % 2 ? await dialUpgraded(t, url) : await dial(t, url);
        const end = closed(socket);
        socket.end(Buffer.from(Array.from({ length: 64 }, random)));
        socket.resume();
        await end;
      }),
    );
  }
  const { client } = await join(t, url);
  client.send("still here");
  assert.deepEqual(await take(client, 1), ["still here"]);
});

test("a client that sends and never reads is paused, then dropped", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0", "--heartbeat-ms", "500"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  await (await connect(url)).close();
  const idleMib = residentMib(server.pid) ?? 0;
  const socket = await dialUpgraded(t, url);
  socket.pause();
  const message = frame(`"${"a".repeat(60_000)}"`);
  for (let sent = 0; sent < 2_000; sent++) socket.write(message);
  await server.waitForLine(/reads slowly: \d+ bytes wait/);
  assert.match(await server.waitForLine(/dropped/), /Cannot keep connection: nothing came back for 500 ms/);
  const grownMib = (residentMib(server.pid) ?? 0) - idleMib;
  assert.ok(grownMib < 24, `grew by ${grownMib} MiB`);
  t.diagnostic(`grew by ${grownMib.toFixed(1)} MiB of 120`);
});

test("a client that pings and reads nothing does not fill the server", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  await (await connect(url)).close();
  const idleMib = residentMib(server.pid) ?? 0;
  const socket = await dialUpgraded(t, url);
  socket.pause();
  const pings = Buffer.concat(Array.from({ length: 1_000 }, () => frame("a".repeat(125), { opcode: 9 })));
  const end = closed(socket);
  for (let sent = 0; sent < 500; sent++) socket.write(pings);
  await until(() => socket.destroyed || server.output.some((line) => line.includes("closed")));
  socket.resume();
  await end;
  const grownMib = (residentMib(server.pid) ?? 0) - idleMib;
  assert.ok(grownMib < 32, `grew by ${grownMib} MiB`);
});

test("headers that come drop by drop end in time", { timeout }, async (t) => {
  const { url } = await serve(t, { headersTimeoutMs: 500 });
  const socket = await dial(t, url);
  socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  const dripping = setInterval(() => socket.write("X-A: b\r\n"), 100);
  t.after(() => clearInterval(dripping));
  assert.match((await receive(socket)).toString(), /^HTTP\/1\.1 408 /);
});

test("a server that answers with anything else is refused with a reason", { timeout }, async (t) => {
  const { url } = await serve(t, { allowedHosts: [] });
  await assert.rejects(connect(url.replace("127.0.0.1", "127.0.0.2"), { waitMs: 0 }), /./);
  await assert.rejects(connect(`${url}/elsewhere`), {
    code: "ERR_REFUSED",
    message: `Cannot connect to ${url}/elsewhere: the server said 404 Not Found`,
  });
});

test("replies to messages that came with the close are sent before it", { timeout }, async (t) => {
  const { url } = await serve(t);
  const socket = await dialUpgraded(t, url);
  socket.write(Buffer.concat([frame("1"), frame("2"), frame(close(1000), { opcode: 8 })]));
  const answer = await receive(socket, (all) => all.includes(0x88));
  assert.deepEqual([...answer.subarray(0, 7)], [0x81, 1, 0x31, 0x81, 1, 0x32, 0x88]);
  const other = await open(t, url, ECHO);
  const [reply, end] = [nextText(other), ended(other)];
  other.send("3");
  other.close(1000);
  assert.equal(await reply, "3");
  await end;
});
