import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { connect, PEER_DEFAULTS, PEER_FLAGS } from "../src/index.ts";
import { bin, dial, frame, freeUrl, impostor, message, portOf, serve } from "./support.ts";

const timeout = 60_000;
const TOKEN = "correct-horse-battery";

test("start shows what passed between two processes and ends with 0", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--once"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 0, signal: null });
  assert.deepEqual(start.errors, []);
  const shown = start.output.map((line) => line.replace(/(?<=127.0.0.1):\d+/, ":PORT")).sort();
  assert.deepEqual(shown, [
    'a │ passed on {"three":3,"four":4} from b',
    "a │ tcp-relay a listening on tcp://127.0.0.1:PORT",
    'b │ received  {"three":3,"four":4} from b, 2 hops',
    'b │ sending   {"three":3,"four":4}',
    "b │ tcp-relay b listening on tcp://127.0.0.1:PORT",
  ]);
});

test("either of two peers may be killed and come back: the other one's messages go on", { timeout }, async (t) => {
  const [urlA, urlB] = [await freeUrl(), await freeUrl()];
  const startA = () => startProgram(bin("peer"), ["--name", "a", "--port", `${portOf(urlA)}`, "--next", urlB]);
  let a = startA();
  const b = await serve(t, { name: "b", port: portOf(urlB), next: urlA });
  t.after(() => a.stop("SIGKILL"));
  await b.peer.send("before");
  await a.stop("SIGKILL");
  const sent = b.peer.send("meanwhile");
  await b.told("waiting");
  a = startA();
  await sent;
  assert.deepEqual(
    b.received.map(({ body }) => body),
    ["before", "meanwhile"],
  );
});

test("a peer prints its ready line first, and ends with 0 on SIGTERM and on SIGINT", { timeout }, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const peer = startProgram(bin("peer"), ["--port", "0", "--name", "end"]);
    t.after(() => peer.stop("SIGKILL"));
    const url = await peer.ready;
    assert.equal(peer.output[0], `tcp-relay end listening on ${url}`);
    const client = await connect(url, { name: "me" });
    t.after(() => client.close());
    await client.send("\u001b[2Jgone?");
    assert.deepEqual(await peer.stop(signal), { code: 0, signal: null });
    assert.deepEqual(peer.output.slice(1), ['received  "\\u001b[2Jgone?" from me, 1 hops']);
    assert.deepEqual(peer.errors, []);
  }
});

test("--count sends many, --once ends when they are delivered", { timeout }, async (t) => {
  const { url, received } = await serve(t);
  const flags = ["--send", "[1]", "--count", "1000", "--once", "--window-bytes", "10000"];
  const peer = startProgram(bin("peer"), ["--name", "b", "--port", "0", "--next", url, ...flags]);
  t.after(() => peer.stop("SIGKILL"));
  assert.deepEqual(await peer.exited, { code: 0, signal: null });
  assert.equal(received.length, 1_000);
});

test("told to stop before what it was to send is delivered, a peer says so and ends with 1", { timeout }, async (t) => {
  const args = ["--name", "b", "--port", "0", "--next", await freeUrl(), "--send", "1"];
  const peer = startProgram(bin("peer"), args);
  t.after(() => peer.stop("SIGKILL"));
  await peer.waitForLine(/^waiting for /);
  const { code } = await peer.stop();
  assert.equal(code, 1);
  assert.equal(peer.errors.length, 1);
  assert.match(peer.errors[0] ?? "", /^Cannot tell whether message \S+ was delivered: /);
});

test("malformed, too large, random: one line for each, and the peer goes on", { timeout }, async (t) => {
  const peer = startProgram(bin("peer"), ["--port", "0", "--max-frame-bytes", "1000"]);
  t.after(() => peer.stop("SIGKILL"));
  const url = await peer.ready;
  const malformed = await dial(t, url);
  malformed.socket.write(frame("{\u001b[2J"));
  await malformed.answered(1);
  const large = await dial(t, url);
  large.socket.write(frame(message("1", "x".repeat(1_000))));
  await large.closed;
  await peer.waitForLine(/dropped/);
  const client = await connect(url);
  t.after(() => client.close());
  await client.send("still here");
  await peer.waitForLine(/still here/);
  const lines = peer.output.slice(1).map((line) => line.replace(/127\.0\.0\.1:\d+/, "PEER").replace(/\d{3,}/, "N"));
  assert.deepEqual(lines, [
    "PEER is told: Cannot read message of 5 bytes: it is no JSON",
    "PEER dropped: Cannot read frame of N bytes: limit is 1000",
    'received  "still here" from client, 1 hops',
  ]);
});

test("the next address is somebody else's: one line, said once", { timeout }, async (t) => {
  const http = await impostor(t, (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const args = ["--name", "b", "--port", "0", "--next", http.url, "--send", "1"];
  const peer = startProgram(bin("peer"), args);
  t.after(() => peer.stop("SIGKILL"));
  await peer.waitForLine(/^waiting for .*HTTP/);
  await until(() => http.sockets.length >= 4);
  assert.equal(peer.output.filter((line) => line.startsWith("waiting")).length, 1);
});

test("wrong flags and addresses get one line that says what to do, never a stack trace", { timeout }, async (t) => {
  const cases: [args: string[], line: RegExp][] = [
    [["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    [["--port", "many"], /^Cannot use --port many: it takes a whole number from 0 to 65535\. Try --help$/],
    [["--next", "9904"], /^Cannot use address '9904': it is no URL such as tcp:\/\/127\.0\.0\.1:1234$/],
    [["--max-ids", "0"], /^Cannot use --max-ids 0: it takes a whole number of at least 1\. Try --help$/],
    [["--max-connections", "none"], /^Cannot use --max-connections none: it takes a whole number of at least 1\. Try/],
    [
      ["--host", "0.0.0.0", "--port", "0"],
      /^Cannot listen on 0\.0\.0\.0 without a token: anybody .+ could call\. Name one with --token, or let/,
    ],
    [["--name", "two words"], /^Cannot use name 'two words': it takes 1 to 64 letters/],
    [
      ["--host", "203.0.113.1", "--port", "0", "--insecure"],
      /^Cannot listen on .+: it is no address of this machine\. Try/,
    ],
    [
      ["--port", "0", "--next", "tcp://127.0.0.1:1", "--send", "{three"],
      /^Cannot send '\{three': it is no JSON\. Try --help$/,
    ],
    [["--port", "0", "--send", "1"], /^Cannot send message: a has no next peer\. Name one with --next$/],
    [["--port", "0", "--log-file", "/nowhere/ids"], /^ENOENT: no such file or directory, open '\/nowhere\/ids'$/],
  ];
  for (const [args, line] of cases) {
    const child = startProgram(bin("peer"), args);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
    assert.equal(child.errors.length, 1, child.errors.join("\n"));
    assert.match(child.errors[0] ?? "", line);
  }
});

test("--next - takes its address from stdin; without one, or with a wrong one: one line, exit code 1", {
  timeout,
}, async (t) => {
  const { url, received } = await serve(t);
  const fromStdin = (line: string) => {
    const child = startProgram(bin("peer"), ["--port", "0", "--next", "-", "--send", "1", "--once"]);
    t.after(() => child.stop("SIGKILL"));
    child.stdin.end(line);
    return child;
  };
  assert.deepEqual(await fromStdin(`${url}\n`).exited, { code: 0, signal: null });
  assert.equal(received.length, 1);
  for (const line of ["", "\n", "9904\n", "http://127.0.0.1:9904\n"]) {
    const child = fromStdin(line);
    assert.deepEqual(await child.exited, { code: 1, signal: null });
    assert.equal(child.output.length, 1, child.output.join("\n"));
    assert.deepEqual(child.errors, [`Cannot use address '${line.trim()}': it is no URL such as tcp://127.0.0.1:1234`]);
  }
});

test("open to a network: the token lets in, nothing else does; --insecure warns", { timeout }, async (t) => {
  const start = (...args: string[]) => {
    const child = startProgram(bin("peer"), ["--port", "0", ...args]);
    t.after(() => child.stop("SIGKILL"));
    return child;
  };
  const end = start("--host", "0.0.0.0", "--token", TOKEN, "--name", "end");
  const url = (await end.ready).replace("0.0.0.0", "127.0.0.1");
  await end.waitForLine(/^from other machines: /);
  const stranger = start("--next", url, "--send", "1");
  await stranger.waitForLine(/^waiting for \S+: it wants a token$/);
  await end.waitForLine(/ dropped: Cannot let caller in: wrong token$/);
  const known = start("--next", url, "--send", "2", "--once", "--token", TOKEN);
  assert.deepEqual(await known.exited, { code: 0, signal: null });
  await end.waitForLine(/^received {2}2 from a, 1 hops$/);
  assert.ok(!end.output.includes("received  1 from a, 1 hops"));
  await start("--host", "0.0.0.0", "--insecure").waitForLine(/^insecure: whoever reaches this machine may send$/);
});

test("every option of a peer is a flag, and works: one connection at once, two ids remembered", {
  timeout,
}, async (t) => {
  const names = Object.keys(PEER_DEFAULTS);
  assert.deepEqual(
    names.filter((name) => !(name in PEER_FLAGS)),
    [],
  );
  const peer = startProgram(bin("peer"), ["--port", "0", "--max-connections", "1", "--max-ids", "1"]);
  t.after(() => peer.stop("SIGKILL"));
  const url = await peer.ready;
  const client = await connect(url);
  t.after(() => client.close());
  await assert.rejects(connect(url, { waitMs: 0 }));
  await peer.waitForLine(/refused: 1 connections are open, which is the limit$/);
  for (const id of ["1", "2", "3", "1"]) await client.send(id, { id });
  // "1" twice: by the time it came again it was forgotten.
  await until(() => peer.output.filter((line) => line.startsWith('received  "1"')).length === 2);
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  for (const program of ["peer", "start"]) {
    const child = startProgram(bin(program), ["--help"]);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  }
});
