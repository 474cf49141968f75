import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { type Child, startProgram } from "@ipc/core/child";
import { connect, makeKeys } from "../src/index.ts";
import { bin, bytes, fixture, freeUrl, serve, start, text } from "./support.ts";

const timeout = 60_000;
const OK = { code: 0, signal: null };
const FAILED = { code: 1, signal: null };

/** Every program ends by itself and at once: a socket that is left open, or a linger, would keep it. */
async function endsAtOnce(child: Child, withinMs = 3_000): Promise<void> {
  const from = performance.now();
  const exit = await Promise.race([
    child.exited,
    new Promise((resolve) => setTimeout(resolve, withinMs, "still there").unref()),
  ]);
  assert.deepEqual(exit, OK, `after ${(performance.now() - from).toFixed(0)} ms: ${child.errors.join(" / ")}`);
}

test("start shows what passed between the processes of every pattern and ends with 0", { timeout }, async (t) => {
  const child = start(t, "start", ["--once"]);
  assert.deepEqual(await child.exited, OK);
  assert.deepEqual(child.errors, []);
  const shown = (role: string) =>
    child.output.flatMap((line) => (line.startsWith(role) ? line.replace(/^.* │ /, "") : []));
  assert.deepEqual(shown("client"), [
    "sending  Hello",
    "received Message Received",
    "sending  Hello",
    "received Hello by worker",
  ]);
  // Before and after it may wait for the publisher, which comes on another stream.
  assert.deepEqual(
    shown("pub-sub-subscriber").filter((line) => line.startsWith("news")),
    ["news 1: message 1", "news 2: message 2", "news 3: message 3"],
  );
  assert.deepEqual(shown("push-pull-sink").slice(1), ["counted 10 results, the last: task 10 done"]);
  assert.ok(shown("push-pull-worker").includes("did 10 tasks"));
  assert.ok(shown("router-dealer-broker").some((line) => /worker \w+ is ready/.test(line)));
});

test("the server prints its ready line first, and ends with 0 on SIGTERM and on SIGINT, clients connected", {
  timeout,
}, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const server = start(t, "server", ["--port", "0"]);
    const url = await server.ready;
    assert.equal(server.output[0], `zmq listening on ${url}`);
    const client = await connect(url);
    t.after(() => client.close());
    assert.equal(text(await client.request(bytes("Hello"))), "Message Received");
    void server.stop(signal);
    await endsAtOnce(server);
    assert.deepEqual(server.errors, []);
  }
});

test("'stop' ends a server on loopback, and not one that is open to a network", { timeout }, async (t) => {
  const local = start(t, "server", ["--port", "0"]);
  const client = start(t, "client", [await local.ready, "--message", "stop"]);
  await endsAtOnce(client, 10_000);
  assert.deepEqual(client.output, ["sending  stop", "received Message Received"]);
  await endsAtOnce(local);
  assert.ok(local.output.includes("told to stop"));

  const open = start(t, "server", ["--port", "0", "--host", "0.0.0.0"]);
  const url = (await open.ready).replace("0.0.0.0", "127.0.0.1");
  const other = await connect(url);
  t.after(() => other.close());
  assert.equal(text(await other.request(bytes("stop"))), "Message Received");
  assert.equal(text(await other.request(bytes("still there?"))), "Message Received");
});

test("the client may start first: it says once that it waits, then works", { timeout }, async (t) => {
  const url = await freeUrl();
  const client = start(t, "client", [url]);
  await client.waitForLine(/waiting/);
  const server = start(t, "server", ["--port", new URL(url).port]);
  await server.ready;
  await endsAtOnce(client, 10_000);
  assert.deepEqual(client.errors, [`waiting for ${url}`]);
  assert.equal(client.output.at(-1), "received Message Received");
});

test("the client gives up in one line, before and after it has reached a server", { timeout }, async (t) => {
  const url = await freeUrl();
  const hasty = start(t, "client", [url, "--wait-ms", "0"]);
  assert.deepEqual(await hasty.exited, FAILED);
  const advice = "Start the server first, or wait longer with --wait-ms";
  assert.deepEqual(hasty.errors, [`Cannot connect to ${url}: nobody answers there. ${advice}`]);

  const mute = await serve(t, { handler: () => new Promise(() => {}), graceMs: 0 });
  const patient = start(t, "client", [mute.url, "--timeout-ms", "100", "--tries", "2"]);
  assert.deepEqual(await patient.exited, FAILED);
  const text = `Cannot get reply from ${mute.url}: none came in 2 tries of 100 ms`;
  assert.deepEqual(patient.errors, [`${text}. Check that the server is alive, or wait longer with --timeout-ms`]);
});

test("every program that listens or goes on ends at once on SIGTERM, whether its peers are there or not", {
  timeout,
}, async (t) => {
  const names = ["pub-sub-publisher", "push-pull-ventilator", "push-pull-sink", "router-dealer-broker"];
  for (const child of names.map((name) => start(t, name, ["--port", "0"]))) {
    const url = await child.ready;
    assert.match(url, /^tcp:\/\/127\.0\.0\.1:\d+$/);
    void child.stop();
    await endsAtOnce(child);
  }
  const broker = start(t, "router-dealer-broker", ["--port", "0"]);
  const [, workersUrl = ""] = /on (\S+)/.exec(await broker.waitForLine(/for workers/)) ?? [];
  const worker = start(t, "router-dealer-worker", [workersUrl]);
  await worker.waitForLine(/working/);
  await broker.stop("SIGKILL");
  void worker.stop();
  await endsAtOnce(worker);

  const sink = start(t, "push-pull-sink", ["--port", "0"]);
  const ventilator = start(t, "push-pull-ventilator", ["--port", "0", "--workers", "2"]);
  const between = start(t, "push-pull-worker", [await ventilator.ready, await sink.ready]);
  const publisher = start(t, "pub-sub-publisher", ["--port", "0", "--subscribers", "2"]);
  const subscriber = start(t, "pub-sub-subscriber", [await publisher.ready]);
  await publisher.waitForLine(/subscriptions to 'news': 1/);
  await Promise.all([publisher.stop("SIGKILL"), ventilator.stop("SIGKILL")]);
  await Promise.all([subscriber.waitForLine(/waiting/), between.waitForLine(/waiting/)]);
  for (const child of [subscriber, between, sink]) {
    void child.stop();
    await endsAtOnce(child);
  }
});

test("a program with messages that nobody takes ends when its grace is over", { timeout }, async (t) => {
  const child = start(t, fixture("unsent"));
  await child.waitForLine(/closes/);
  const from = performance.now();
  assert.deepEqual(await child.exited, OK);
  const tookMs = performance.now() - from;
  // A grace of 300 ms to finish, and the same to deliver.
  assert.ok(tookMs < 1_500, `took ${tookMs} ms`);
});

test("keys made by a program: the server lets in the one it knows, and refuses a stranger in one line", {
  timeout,
}, async (t) => {
  const folder = await mkdtemp(`${tmpdir()}/ipc-zmq-`);
  t.after(() => rm(folder, { recursive: true, force: true }));
  const makers = ["server", "friend", "stranger"].map((name) => start(t, "curve-keys", [`${folder}/${name}`]));
  for (const maker of makers) assert.deepEqual(await maker.exited, OK);
  if (process.platform !== "win32") assert.equal((await stat(`${folder}/server.json`)).mode & 0o777, 0o600);
  const again = start(t, "curve-keys", [`${folder}/server`]);
  assert.deepEqual(await again.exited, FAILED);
  assert.match(again.errors.join(), /EEXIST.*Choose another name$/);

  const server = start(t, "server", [
    "--port",
    "0",
    "--keys",
    `${folder}/server.json`,
    "--allow",
    `${folder}/friend.pub`,
  ]);
  const url = await server.ready;
  const as = (name: string) =>
    start(t, "client", [url, "--keys", `${folder}/${name}.json`, "--server-key", `${folder}/server.pub`]);
  const friend = as("friend");
  assert.deepEqual(await friend.exited, OK);
  assert.deepEqual(friend.output, ["sending  Hello", "received Message Received"]);
  const stranger = as("stranger");
  assert.deepEqual(await stranger.exited, FAILED);
  assert.deepEqual(stranger.errors, [
    `Cannot connect to ${url}: our key is not allowed there. Give them our .pub file`,
  ]);
  await server.waitForLine(/^refused: Cannot admit peer from 127\.0\.0\.1: this key is not allowed$/);
});

test("a missing binary: one line that says what to do, exit code 1", { timeout }, async (t) => {
  const child = startProgram(bin("server"), ["--port", "0"], {
    env: { NODE_OPTIONS: `--require ${fileURLToPath(new URL("fixtures/no-binary.cjs", import.meta.url))}` },
  });
  t.after(() => child.stop("SIGKILL"));
  assert.deepEqual(await child.exited, FAILED);
  assert.equal(child.errors.length, 1, child.errors.join("\n"));
  assert.match(
    child.errors[0] ?? "",
    /^Cannot load zeromq: it has no binary for this system \(\w+ \w+\)\. Run npm rebuild zeromq/,
  );
});

test("wrong flags and addresses get one line that says what to do, never a stack trace", { timeout }, async (t) => {
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["server", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    ["server", ["--keys", "/nowhere/x.json"], /ENOENT.*Make one with start:curve-keys$/],
    [
      "server",
      ["--host", "203.0.113.1", "--port", "0"],
      /^Cannot listen on .+: it is no address of this machine\. Try/,
    ],
    ["client", ["9999"], /^Cannot use address '9999': it is no URL such as tcp:\/\/127\.0\.0\.1:1234 or ipc:/],
    ["client", ["tcp://127.0.0.1:1", "more"], /^Cannot use argument 'more'\. Try --help$/],
    ["push-pull-worker", ["--wait-ms", "0"], /^Cannot connect to .+: nobody answers there\. Start the server first/],
  ];
  const started = cases.map(([program, args, line]) => ({ child: start(t, program, args), args, line }));
  for (const { child, args, line } of started) {
    assert.deepEqual(await child.exited, FAILED, args.join(" "));
    assert.match(child.errors.at(-1) ?? "", line);
    assert.ok(child.errors.every((error) => !/^\s+at /.test(error)));
  }
});

test("--help of every program fits 80 columns", { timeout }, async (t) => {
  const programs = ["server", "client", "start", "curve-keys", "pub-sub-publisher", "pub-sub-subscriber"];
  programs.push(
    "push-pull-ventilator",
    "push-pull-worker",
    "push-pull-sink",
    "router-dealer-broker",
    "router-dealer-worker",
  );
  await Promise.all(
    programs.map(async (program) => {
      const child = start(t, program, ["--help"]);
      assert.deepEqual(await child.exited, OK);
      const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
      assert.ok(longest <= 80, `${program}: ${longest} columns`);
      assert.ok(child.output.some((line) => line.includes("--help")));
    }),
  );
});

test("garbage on the port: others are served; with CURVE nothing of it reaches the handler", { timeout }, async (t) => {
  const keys = await makeKeys();
  const handled: string[] = [];
  const handler = (message: Uint8Array) => {
    handled.push(text(message));
    return message;
  };
  const { url } = await serve(t, { handler, curve: { secretKey: keys.secretKey, allowedKeys: [keys.publicKey] } });
  const open = await serve(t);
  const connections = process.env["IPC_HEAVY"] === "1" ? 20_000 : 500;
  for (let i = 0; i < connections; i++) {
    const socket = dial({ host: "127.0.0.1", port: Number(new URL(i % 2 === 0 ? url : open.url).port) });
    socket.on("error", () => {});
    // Half of it begins as ZMTP 1.0 does, with an identity: such bytes become messages where nobody asks for keys.
    socket.end(Buffer.concat([Buffer.from(i % 4 < 2 ? "" : "0100050061626364", "hex"), randomBytes(64)]));
    await new Promise((resolve) => socket.once("close", resolve).resume());
  }
  const friend = await connect(url, { curve: { ...keys, serverKey: keys.publicKey } });
  const anybody = await connect(open.url);
  t.after(() => Promise.all([friend.close(), anybody.close()]));
  for (const client of [friend, anybody]) assert.equal(text(await client.request(bytes("still here"))), "still here");
  assert.deepEqual(handled, ["still here"]);
  t.diagnostic(`${connections} connections with random bytes: both servers alive`);
});
