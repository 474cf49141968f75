import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type Child, startProgram } from "@ipc/core/child";
import { findBinary } from "@ipc/core/services";
import { until } from "@ipc/core/testing";
import { bin, come, freeUrl, plainSocket, serve } from "./support.ts";

const timeout = 30_000;
const CLEAN = { code: 0, signal: null };

function run(t: TestContext, program: string, args: string[] = []): Child {
  const child = startProgram(bin(program), args);
  t.after(() => child.stop("SIGKILL"));
  return child;
}

test("start shows two terminal clients that talk, and ends with 0", { timeout }, async (t) => {
  const start = run(t, "start", ["--once"]);
  assert.deepEqual(await start.exited, CLEAN);
  assert.deepEqual(start.errors, []);
  const of = (role: string) => start.output.filter((line) => line.startsWith(role)).map((line) => line.slice(6));
  assert.deepEqual(of("Ann"), [
    "Good day! What is your name?",
    "> Ann",
    "Welcome Ann!",
    "in lobby: Ann",
    "Bob has joined the chat!",
    "> Good day, Bob!",
    "Ann: Good day, Bob!",
    "Bob: Good day to you.",
    "Bob has left the chat.",
    "> quit",
  ]);
  assert.deepEqual(of("Bob"), [
    "Good day! What is your name?",
    "> Bob",
    "Welcome Bob!",
    "in lobby: Ann, Bob",
    "Ann: Good day, Bob!",
    "> Good day to you.",
    "Bob: Good day to you.",
    "> quit",
  ]);
});

test("start without --once serves the page until SIGTERM", { timeout }, async (t) => {
  const start = run(t, "start", ["--port", "0"]);
  const url = await start.ready;
  await start.waitForLine(/open http:.* in two windows/);
  assert.match(await (await fetch(url)).text(), /<title>Chat<\/title>/);
  assert.deepEqual(await start.stop(), CLEAN);
});

test("the server prints its ready line first, and ends with 0 on SIGTERM and on SIGINT, with somebody in it", {
  timeout,
}, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const server = run(t, "server", ["--port", "0"]);
    const url = await server.ready;
    assert.equal(server.output[0], `socketio-chat listening on ${url}`);
    const ann = await come(t, url, { name: "Ann" });
    await ann.client.say("hi");
    assert.deepEqual(await server.stop(signal), CLEAN);
    assert.deepEqual(server.errors, []);
    await ann.saw("notice", ({ notice }) => notice.kind === "goodbye");
  }
});

test("a server ends in time with clients that poll, and with one that has stalled", { timeout }, async (t) => {
  const server = run(t, "server", ["--port", "0", "--grace-ms", "1000"]);
  const url = await server.ready;
  for (const transports of [["polling"], ["polling", "websocket"]]) await plainSocket(t, url, transports);
  const stalled = startProgram(new URL("fixtures/idle-client.ts", import.meta.url), [url, "Stalled"]);
  t.after(() => stalled.stop("SIGKILL"));
  await stalled.waitForLine(/joined/);
  process.kill(stalled.pid, "SIGSTOP");
  assert.deepEqual(await server.stop(), CLEAN);
  assert.deepEqual(server.errors, []);
});

test("a server for the network says under which addresses other machines reach it", { timeout }, async (t) => {
  const server = run(t, "server", ["--port", "0", "--host", "0.0.0.0"]);
  await server.ready;
  const line = await server.waitForLine(/^from other machines: /);
  const [address] = /http:\/\/[\d.]+:\d+/.exec(line) ?? [];
  if (address) {
    assert.equal((await fetch(address)).status, 200);
    await come(t, address, { name: "Ann" });
  }
  assert.deepEqual(await server.stop(), CLEAN);
});

test("the client's first line is its name; lines are said, commands are obeyed, quit and the end of the input leave", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  const bob = await come(t, url, { name: "Bob Lee" });
  const ann = run(t, "client", [url]);
  ann.stdin.write("Ann\nhello\n\n/who\n/to bob lee psst, you\n/to Zed hi\n/help\nquit\nnever said\n");
  assert.deepEqual(await ann.exited, CLEAN);
  assert.deepEqual(ann.errors, []);
  assert.deepEqual(ann.output, [
    "Good day! What is your name?",
    "Welcome Ann!",
    "in lobby: Bob Lee, Ann",
    "Ann: hello",
    "here: Bob Lee, Ann",
    "to bob lee: psst, you".replace("bob lee", "Bob Lee"),
    "nobody here is called that: Bob Lee, Ann",
    "/who, /to NAME text, /quit; all else is said to everybody",
  ]);
  assert.equal((await bob.saw("whisper")).whisper.text, "psst, you");
  await bob.saw("notice", ({ notice }) => notice.text === "Ann has left the chat.");
  assert.deepEqual(bob.texts(), ["hello"]);

  const eve = run(t, "client", [url, "--name", "Eve", "--room", "garden"]);
  await eve.waitForLine(/in garden: Eve/);
  eve.stdin.end("last words");
  assert.deepEqual(await eve.exited, CLEAN);
  assert.equal(eve.output.at(-1), "Eve: last words");
});

test("what others say cannot move the cursor", { timeout }, async (t) => {
  const { url } = await serve(t);
  const ann = run(t, "client", [url, "--name", "Ann"]);
  await ann.waitForLine(/in lobby/);
  const bob = await come(t, url, { name: "Bob" });
  await bob.client.say("\u001b[2Jgone?\r\nno\u202e");
  await ann.waitForLine(/gone/);
  await ann.waitForLine(/no/);
  assert.deepEqual(ann.output.slice(-2), ["Bob: \\x1b[2Jgone?", "  no\\u202e"]);
});

test("at a terminal the line that is being typed stays below what others say", { timeout }, async (t) => {
  const script = process.platform === "linux" ? await findBinary("script") : undefined;
  if (script === undefined) return t.skip("needs script");
  const { url } = await serve(t);
  const args = [process.execPath, "--import", import.meta.resolve("tsx"), fileURLToPath(bin("client")), url];
  const terminal = spawn(script, ["-qec", args.join(" "), "/dev/null"]);
  t.after(() => terminal.kill("SIGKILL"));
  let screen = "";
  terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
  });
  await until(() => screen.includes("your name?"));
  terminal.stdin.write("Ann\r");
  await until(() => screen.includes("in lobby: Ann"));
  terminal.stdin.write("half a li");
  const bob = await come(t, url, { name: "Bob" });
  await bob.client.say("now");
  await until(() => /Bob: now\s+.*half a li/s.test(screen));
  terminal.stdin.write("ne\r");
  await until(() => bob.texts().includes("half a line"));
  terminal.stdin.write("/quit\r");
  await bob.saw("notice", ({ notice }) => notice.text === "Ann has left the chat.");
});

test("the client may start first: it says once that it waits, then works", { timeout }, async (t) => {
  const url = await freeUrl();
  const client = run(t, "client", [url, "--name", "Ann"]);
  await client.waitForLine(/waiting/);
  const server = run(t, "server", ["--port", new URL(url).port]);
  await client.waitForLine(/^Welcome Ann!/);
  assert.deepEqual(client.errors, [`waiting for ${url}`]);
  client.stdin.end("quit\n");
  assert.deepEqual(await client.exited, CLEAN);
  assert.deepEqual(await server.stop(), CLEAN);
});

test("the server is killed while the client sits there: it says so, waits, and goes on", { timeout }, async (t) => {
  const server = run(t, "server", ["--port", "0"]);
  const url = await server.ready;
  const client = run(t, "client", [url, "--name", "Ann"]);
  await client.waitForLine(/in lobby/);
  await server.stop("SIGKILL");
  await client.waitForLine(/^connection lost, trying again/);
  client.stdin.write("hello?\n");
  run(t, "server", ["--port", new URL(url).port]);
  await client.waitForLine(/^back again: the history was lost, the server has started anew/);
  await client.waitForLine(/^Ann: hello\?/);
  assert.deepEqual(await client.stop(), CLEAN);
});

test("wrong flags, names and addresses get one line that says what to do, never a stack trace", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  await come(t, url, { name: "Ann" });
  const gone = await freeUrl();
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["server", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    [
      "server",
      ["--host", "203.0.113.1", "--port", "0"],
      /^Cannot listen on .+: it is no address of this machine\. Try/,
    ],
    ["server", ["--redis-url", "x"], /^Cannot use the address of Redis: it is no URL such as redis:/],
    ["client", ["33000"], /^Cannot use address '33000': it is no URL such as http:\/\/127\.0\.0\.1:1234$/],
    ["client", [gone, "--wait-ms", "0"], /^Cannot connect to .+: nobody listens there\. Start the server first/],
    ["client", [url, "--name", "ann"], /^there is somebody called ann in this room: take another name\. Try another/],
    ["client", [url, "--name", "Bob", "--room", "a b"], /^a room's name has 1 to 32 letters.*\. Try another --room$/],
  ];
  for (const [program, args, line] of cases) {
    const child = run(t, program, args);
    assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
    assert.equal(child.errors.length, 1, child.errors.join("\n"));
    assert.match(child.errors[0] ?? "", line);
  }
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  for (const program of ["server", "client", "start"]) {
    const child = run(t, program, ["--help"]);
    assert.deepEqual(await child.exited, CLEAN);
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  }
});
