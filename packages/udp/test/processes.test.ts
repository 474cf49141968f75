import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { openSender } from "../src/index.ts";
import { bin, bytes, dial, freeUrl, receive } from "./support.ts";

const timeout = 20_000;
const head = "                       received   lost  reordered  doubled  jitter";

test("start shows what passed between two processes and ends with 0", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--once"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 0, signal: null });
  assert.deepEqual(start.errors, []);
  const lines = start.output.map((line) => line.replace(/:\d+/g, ":PORT").replace(/\d+\.\d+ ms/, "MS"));
  const receiver = lines.filter((line) => line.startsWith("receiver") && !line.includes("receive buffer"));
  const message = "receiver │ 127.0.0.1:PORT Hello, receiver !";
  assert.deepEqual(
    receiver.map((line) => line.replace(/ +/g, " ")),
    [
      "receiver │ udp listening on udp://127.0.0.1:PORT",
      ...[message, message, message],
      `receiver │ ${head.trim().replace(/ +/g, " ")}`,
      "receiver │ 127.0.0.1:PORT 3 0 0 0 MS",
    ],
  );
  assert.deepEqual(
    lines.filter((line) => line.startsWith("sender")),
    ["sender   │ sending  Hello, receiver ! (3 times)", "sender   │ sent     3, round trip MS"],
  );
});

test("the receiver prints its ready line first, then its buffer, and ends with 0 on SIGTERM and on SIGINT", {
  timeout,
}, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const receiver = startProgram(bin("receiver"), ["--port", "0"]);
    t.after(() => receiver.stop("SIGKILL"));
    const url = await receiver.ready;
    assert.equal(receiver.output[0], `udp listening on ${url}`);
    await receiver.waitForLine(/^receive buffer: \d+ KiB( of 4096.* allows more)?$/);
    const sender = await openSender(url);
    t.after(() => sender.close());
    await sender.send(bytes("hello \u001b[2J"));
    await receiver.waitForLine(/^127\.0\.0\.1:\d+ hello \\x1b\[2J$/);
    assert.deepEqual(await receiver.stop(signal), { code: 0, signal: null });
    assert.deepEqual(receiver.errors, []);
    assert.match(receiver.output.at(-1) ?? "", /^127\.0\.0\.1:\d+ +1 +0 +0 +0 +\d+\.\d\d ms$/);
  }
});

test("the receiver shows counts live, a few messages of many, and tells of what is none of ours", {
  timeout,
}, async (t) => {
  const receiver = startProgram(bin("receiver"), ["--port", "0", "--every-ms", "50", "--show", "2"]);
  t.after(() => receiver.stop("SIGKILL"));
  const url = await receiver.ready;
  const sender = startProgram(bin("sender"), [url, "--count", "100", "--message", "hi"]);
  t.after(() => sender.stop("SIGKILL"));
  assert.deepEqual(await sender.exited, { code: 0, signal: null });
  await receiver.waitForLine(/^127\.0\.0\.1:\d+ +100 +0 +0 +0 /);
  assert.equal(receiver.output.filter((line) => line === head).length, 1);
  const shown = receiver.output.filter((line) => line.endsWith(" hi")).length;
  assert.ok(shown >= 2 && shown < 100, `${shown} shown`);
  const socket = await dial(t, url);
  socket.send("typed by hand");
  await receiver.waitForLine(/^127\.0\.0\.1:\d+ sent what is no datagram of ours: 1 dropped$/);
});

test("the sender may start first: it says once that it waits, then works", { timeout }, async (t) => {
  const url = await freeUrl();
  const sender = startProgram(bin("sender"), [url]);
  t.after(() => sender.stop("SIGKILL"));
  await sender.waitForLine(/waiting/);
  const receiver = startProgram(bin("receiver"), ["--port", new URL(url).port]);
  t.after(() => receiver.stop("SIGKILL"));
  assert.deepEqual(await sender.exited, { code: 0, signal: null });
  assert.deepEqual(sender.errors, [`waiting for ${url}`]);
  await receiver.waitForLine(/Hello, receiver !$/);
});

test("the sender gives up with one line and exit code 1; with --blind it does not ask", { timeout }, async (t) => {
  const url = await freeUrl();
  const sender = startProgram(bin("sender"), [url, "--wait-ms", "0"]);
  t.after(() => sender.stop("SIGKILL"));
  assert.deepEqual(await sender.exited, { code: 1, signal: null });
  const advice = "Start the server first, or wait longer with --wait-ms";
  assert.deepEqual(sender.errors, [`Cannot send to ${url}: nobody listens there. ${advice}`]);

  const blind = startProgram(bin("sender"), [url, "--blind"]);
  t.after(() => blind.stop("SIGKILL"));
  assert.deepEqual(await blind.exited, { code: 0, signal: null });
  assert.deepEqual(blind.output, ["sending  Hello, receiver !", "sent     1, nobody was asked"]);
});

test("the receiver goes away while the sender sends: it says so and goes on; Ctrl-C ends it with 0", {
  timeout,
}, async (t) => {
  const { receiver, url, messages } = await receive(t);
  const sender = startProgram(bin("sender"), [url, "--count", "1000000", "--every-ms", "10"]);
  t.after(() => sender.stop("SIGKILL"));
  await until(() => messages.length > 3);
  await receiver.close();
  await sender.waitForLine(/^nobody listens on udp:/);
  const again = await receive(t, { port: Number(new URL(url).port) });
  await until(() => again.messages.length > 3);
  assert.deepEqual(await sender.stop("SIGINT"), { code: 0, signal: null });
});

test("multicast and broadcast by flags", { timeout }, async (t) => {
  const group = ["--group", "239.255.50.6", "--interface", "127.0.0.1"];
  const member = startProgram(bin("receiver"), ["--port", "0", ...group]);
  const open = startProgram(bin("receiver"), ["--port", "0", "--host", "0.0.0.0"]);
  t.after(() => Promise.all([member.stop("SIGKILL"), open.stop("SIGKILL")]));
  const url = await member.ready;
  const { port } = new URL(await open.ready);
  const cases = [
    [url, "--interface", "127.0.0.1", "--message", "to the group"],
    [`udp://127.255.255.255:${port}`, "--broadcast", "--message", "to all"],
  ];
  for (const args of cases) {
    const sender = startProgram(bin("sender"), args);
    t.after(() => sender.stop("SIGKILL"));
    assert.deepEqual(await sender.exited, { code: 0, signal: null });
    assert.deepEqual(sender.errors, []);
  }
  await member.waitForLine(/ to the group$/);
  await open.waitForLine(/ to all$/);
});

test("wrong flags and addresses get one line that says what to do, never a stack trace", {
  timeout,
}, async (t) => {
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["receiver", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    ["receiver", ["--port", "many"], /^Cannot use --port many: it takes a whole number from 0 to 65535\. Try --help$/],
    [
      "receiver",
      ["--port", "0", "--host", "203.0.113.1"],
      /^Cannot listen on .+: it is no address of this machine\. Try/,
    ],
    ["receiver", ["--port", "0", "--group", "127.0.0.1"], /^Cannot listen on udp:.+: it is no multicast group$/],
    [
      "sender",
      ["udp://239.1.2.3:1", "--interface", "203.0.113.9"],
      /^Cannot send to .+: there is no such interface\. Check --interface$/,
    ],
    ["sender", ["5005"], /^Cannot use address '5005': it is no URL such as udp:\/\/127\.0\.0\.1:1234$/],
    ["sender", ["tcp://127.0.0.1:1"], /^Cannot use address/],
    [
      "sender",
      ["udp://127.255.255.255:1"],
      /^Cannot send to .+: a broadcast address needs the option broadcast\. Try --broadcast$/,
    ],
    ["sender", ["udp://127.0.0.1:1", "more"], /^Cannot use argument 'more'\. Try --help$/],
  ];
  const checks = cases.map(async ([program, args, line]) => {
    const child = startProgram(bin(program), args);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
    assert.equal(child.errors.length, 1, child.errors.join("\n"));
    assert.match(child.errors[0] ?? "", line);
  });
  await Promise.all(checks);
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  for (const program of ["receiver", "sender", "start"]) {
    const child = startProgram(bin(program), ["--help"]);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  }
});
