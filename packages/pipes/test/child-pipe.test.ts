import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { startProgram } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { type ChildEvent, type ChildOptions, startChild, startFork } from "../src/index.ts";
import { bin, bytes, command, frame, isAlive, makeFolder, text } from "./support.ts";

const timeout = 20_000;
const fixture = new URL("fixtures/child.ts", import.meta.url);

/** A child for one test, and what was told of it. */
async function start(t: TestContext, options: ChildOptions = {}, file = fixture) {
  const events: ChildEvent[] = [];
  const child = await startChild(command(file), { ...options, onEvent: (event) => events.push(event) });
  t.after(() => child.close());
  const ends = () => events.flatMap((event) => (event.type === "ended" ? [event.error.message] : []));
  return { child, events, ends, ask: async (message: string) => text(await child.request(bytes(message))) };
}

test("a child answers over its standard output, whatever the length, many at once and in order", {
  timeout,
}, async (t) => {
  const { child, events } = await start(t, {}, bin("child"));
  for (const length of [0, 1, 65_536, 1_048_576]) {
    const message = new Uint8Array(length).map((_, index) => index * 31);
    assert.deepEqual(Buffer.from(await child.request(message)), Buffer.from(message), `${length} bytes`);
  }
  const sent = Array.from({ length: 2_000 }, (_, index) => `${index}`);
  const replies = await Promise.all(sent.map((one) => child.request(bytes(one))));
  assert.deepEqual(replies.map(text), sent);
  await child.close();
  assert.deepEqual(
    events.map((event) => (event.type === "ended" ? event.error.message : event.type)),
    ["started", "the child ended with exit code 0"],
  );
});

test("a child that is killed: what is on its way rejects, the next request starts another", { timeout }, async (t) => {
  const { child, ask, ends } = await start(t);
  const pid = await ask("pid");
  const results = await Promise.allSettled([child.request(bytes("die")), child.request(bytes("behind"))]);
  assert.deepEqual(
    results.map((result) => result.status === "rejected" && [result.reason.code, result.reason.message]),
    Array(2).fill(["ECONNRESET", `Cannot get reply from child ${process.execPath}: the child ended by SIGKILL`]),
  );
  assert.deepEqual(ends(), ["the child ended by SIGKILL"]);
  assert.notEqual(await ask("pid"), pid);
});

test("a child that exits by itself says so by its code", { timeout }, async (t) => {
  const { child } = await start(t);
  await assert.rejects(child.request(bytes("exit")), /the child ended with exit code 3$/);
});

test("a child that prints on standard output breaks the wire: one clear error, and it is ended", {
  timeout,
}, async (t) => {
  const { child, ask, ends } = await start(t);
  const pid = Number(await ask("pid"));
  await assert.rejects(child.request(bytes("print")), {
    code: "ERR_FRAME_TOO_LARGE",
    message: 'Cannot read frame of 1214606444 bytes ("Hell" read as a length): limit is 1048576',
  });
  await until(() => ends().length === 1);
  assert.equal(isAlive(pid), false);
  assert.equal(await ask("again"), "again");
});

test("a child that is silent is killed, and the next request starts another", { timeout }, async (t) => {
  const { child, ask, ends } = await start(t, { timeoutMs: 3_000 });
  const pid = Number(await ask("pid"));
  await assert.rejects(child.request(bytes("stuck")), { code: "ETIMEDOUT" });
  await until(() => ends().length === 1);
  assert.equal(isAlive(pid), false);
  assert.equal(await ask("again"), "again");
});

test("close() lets the child finish, and it ends by itself", { timeout }, async (t) => {
  const { child, ends } = await start(t);
  const owed = child.request(bytes("slow"));
  await Promise.all([child.close(), child.close()]);
  assert.equal(text(await owed), "slow");
  assert.deepEqual(ends(), ["the child ended with exit code 0"]);
});

test("close() kills a child that does not end within graceMs", { timeout }, async (t) => {
  const { child, ask, ends } = await start(t, { graceMs: 200 });
  await ask("ready?");
  const lost = assert.rejects(child.request(bytes("stuck")), { code: "ECONNRESET" });
  await child.close();
  await lost;
  assert.equal(ends().length, 1);
});

test("the parent is killed: the child ends by itself", { timeout }, async (t) => {
  const parent = startProgram(new URL("fixtures/parent.ts", import.meta.url));
  t.after(() => parent.stop("SIGKILL"));
  const pid = Number((await parent.waitForLine(/^child \d+$/)).split(" ")[1]);
  t.after(() => isAlive(pid) && process.kill(pid, "SIGKILL"));
  assert.ok(isAlive(pid));
  const killedAt = performance.now();
  await parent.stop("SIGKILL");
  await until(() => !isAlive(pid));
  t.diagnostic(`gone after ${(performance.now() - killedAt).toFixed(0)} ms`);
});

test("a program that is not there, or is no such child: one clear error", { timeout }, async (t) => {
  await assert.rejects(startChild(["no-such-program"]), {
    code: "ENOENT",
    message: "Cannot start no-such-program: there is no such program",
  });
  if (process.platform === "win32") return;
  const silent = await startChild(["true"]);
  t.after(() => silent.close());
  await assert.rejects(silent.request(bytes("?")), /: the child ended with exit code 0$/);
  const loud = await startChild(["yes"]);
  t.after(() => loud.close());
  await assert.rejects(loud.request(bytes("?")), { code: "ERR_FRAME_TOO_LARGE" });
});

test("the child refuses what is malformed, too large or cut off with one line and exit code 1", {
  timeout,
}, async (t) => {
  const cases: [wire: Uint8Array, line: RegExp, replies: Uint8Array][] = [
    [
      Buffer.from("GET / HTTP/1.1\r\n"),
      /^Cannot read frame of \d+ bytes \("GET " read as a length\)/,
      new Uint8Array(0),
    ],
    [Buffer.concat([frame("one"), Uint8Array.of(0, 0x10, 0, 1)]), /^Cannot read frame of 1048577 bytes/, frame("one")],
    [Buffer.concat([frame("one"), frame("two").subarray(0, 5)]), /^Cannot read frame: the stream ended/, frame("one")],
  ];
  for (const [wire, line, replies] of cases) {
    const [program, ...args] = command(bin("child"));
    const child = spawn(program, args, { stdio: "pipe" });
    t.after(() => child.kill("SIGKILL"));
    let errors = "";
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    const output: Uint8Array[] = [];
    child.stdout.on("data", (chunk) => output.push(chunk));
    child.stdin.on("error", () => {}).end(wire);
    assert.deepEqual(await once(child, "close"), [1, null]);
    assert.match(errors, line);
    assert.equal(errors.split("\n").length, 2, "one line");
    assert.deepEqual(Buffer.concat(output), Buffer.from(replies), "what came before is answered");
  }
});

test("the child's input and output may be files: the last reply is written before it ends", { timeout }, async (t) => {
  const folder = await makeFolder(t);
  const wire = Buffer.concat(Array.from({ length: 50 }, () => frame(new Uint8Array(100_000).fill(7))));
  writeFileSync(join(folder, "in"), wire);
  const [input, output] = [openSync(join(folder, "in"), "r"), openSync(join(folder, "out"), "w")];
  const [program, ...args] = command(bin("child"));
  const child = spawn(program, args, { stdio: [input, output, "inherit"] });
  assert.deepEqual(await once(child, "close"), [0, null]);
  for (const fd of [input, output]) closeSync(fd);
  assert.ok(readFileSync(join(folder, "out")).equals(wire));
});

test("a parent that reads late gets all of it: nothing is lost when the child ends", { timeout }, async (t) => {
  const wire = Buffer.concat(Array.from({ length: 50 }, () => frame(new Uint8Array(100_000).fill(7))));
  const [program, ...args] = command(bin("child"));
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  child.stdin.end(wire);
  // More than any pipe holds: the child waits with what is left, although its input has ended.
  await once(child.stdout, "readable");
  const chunks: Uint8Array[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk);
  assert.ok(Buffer.concat(chunks).equals(wire));
});

test("fork's channel answers, and rejects when the child is gone", { timeout }, async (t) => {
  const child = startFork(bin("child"));
  t.after(() => child.close());
  const message = bytes("Hello");
  assert.deepEqual(new Uint8Array((await child.request(message)) as Uint8Array), message);
  // What cannot be cloned takes nobody's reply.
  await assert.rejects(child.request((() => {}) as never), /argument must be/);
  assert.deepEqual(new Uint8Array((await child.request(message)) as Uint8Array), message);
  process.kill(child.pid ?? 0, "SIGSTOP");
  const lost = assert.rejects(child.request(message), /Cannot get reply from child: it ended/);
  process.kill(child.pid ?? 0, "SIGKILL");
  await lost;
  await assert.rejects(child.request(message));
});
