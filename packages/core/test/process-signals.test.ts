import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { text } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Child, startProgram } from "../src/child.ts";
import { connectTcp } from "../src/sockets.ts";

const timeout = 20_000;
const fixture = (name: string) => new URL(`fixtures/${name}.ts`, import.meta.url);

function start(t: TestContext, name: string, args: string[] = []): Child {
  const child = startProgram(fixture(name), args);
  t.after(() => child.stop("SIGKILL"));
  return child;
}

describe("a program that was started by runProgram()", { concurrency: 3 }, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`closes and ends by itself with exit code 0 on ${signal}`, { timeout }, async (t) => {
      const child = start(t, "echo-server");
      const socket = await connectTcp(await child.ready);
      t.after(() => socket.destroy());
      socket.write("ping\n");
      await once(socket, "data");
      const ended = once(socket.resume(), "end");
      assert.deepEqual(await child.stop(signal), { code: 0, signal: null });
      await ended;
      assert.deepEqual(child.errors, []);
    });
  }

  test("closes, exit code 0, on a SIGTERM that comes as soon as the ready line is out", { timeout }, async (t) => {
    // Whoever waits for the ready line may stop the program at once: a supervisor, runPair(), these tests.
    const child = start(t, "says-ready-early");
    await child.ready;
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
  });

  test("says when the port is taken: one line, exit code 1, no stack", { timeout }, async (t) => {
    const url = await start(t, "echo-server").ready;
    const second = start(t, "echo-server", ["--port", new URL(url).port]);
    assert.deepEqual(await second.exited, { code: 1, signal: null });
    assert.deepEqual(second.output, []);
    assert.deepEqual(second.errors, [`Cannot listen on ${url}: the port is taken. Try --port 0`]);
  });

  const faults: [what: string, how: string, line: string][] = [
    ["an unexpected error", "throw", "undefined is not a thing"],
    ["a known error", "known", "Cannot listen on tcp://127.0.0.1:1: the port is taken. Try --port 0"],
    ["something thrown that is no error", "no-error", "Cannot go on: just text"],
    ["a rejection that nobody awaits", "reject-later", "nobody awaits this"],
    ["an error out of a timer", "throw-later", "out of a timer"],
  ];
  for (const [what, how, line] of faults) {
    test(`prints one line and no stack for ${what}, exit code 1 although something is open`, { timeout }, async (t) => {
      const child = start(t, "ends-badly", [how]);
      assert.deepEqual(await child.exited, { code: 1, signal: null });
      assert.deepEqual(child.errors, [line]);
    });
  }

  test("ends without a stack trace when its reader goes away (| head -1)", { timeout }, async (t) => {
    const command = 'set -o pipefail; "$0" --import tsx "$1" | head -1';
    const shell = spawn("bash", ["-c", command, process.execPath, fileURLToPath(fixture("prints"))]);
    t.after(() => shell.kill("SIGKILL"));
    const [out, err, [code]] = await Promise.all([text(shell.stdout), text(shell.stderr), once(shell, "close")]);
    assert.equal(out, "line 0\n");
    assert.equal(err, "");
    assert.equal(code, 0);
  });

  test("says under which addresses other machines reach it when it listens on 0.0.0.0", { timeout }, async (t) => {
    const child = start(t, "echo-server", ["--host", "0.0.0.0"]);
    const url = await child.ready;
    assert.match(url, /^tcp:\/\/0\.0\.0\.0:\d+$/);
    const line = await child.waitForLine(/^from other machines: /);
    const outside = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4")
      .map(({ address }) => url.replace("0.0.0.0", address));
    const expected = outside.length > 0 ? outside.join(" or ") : "none, this machine has no network";
    assert.equal(line, `from other machines: ${expected}`);
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
  });

  test("says nothing of other machines when it listens on 127.0.0.1", { timeout }, async (t) => {
    const child = start(t, "echo-server");
    const url = await child.ready;
    await child.stop();
    assert.deepEqual(child.output, [`echo listening on ${url}`]);
  });
});

describe("closeOnSignal()", { concurrency: 3 }, () => {
  test("closes once and lets the process end by itself with exit code 0", { timeout }, async (t) => {
    const child = start(t, "closes", ["clean"]);
    await child.waitForLine(/^ready$/);
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
    assert.deepEqual(child.output, ["ready", "close 1"]);
    assert.deepEqual(child.errors, []);
  });

  test("ends at once with exit code 1 at a second signal, of either kind", { timeout }, async (t) => {
    const child = start(t, "closes", ["hang"]);
    await child.waitForLine(/^ready$/);
    const ended = child.stop("SIGTERM");
    await child.waitForLine(/^close 1$/);
    const start_ = performance.now();
    process.kill(child.pid, "SIGINT");
    assert.deepEqual(await ended, { code: 1, signal: null });
    assert.ok(performance.now() - start_ < 2_000);
    assert.deepEqual(child.output, ["ready", "close 1"]);
  });

  test("says what is still open when the process does not end in time, exit code 1", { timeout }, async (t) => {
    const child = start(t, "closes", ["leak"]);
    await child.waitForLine(/^ready$/);
    assert.deepEqual(await child.stop(), { code: 1, signal: null });
    assert.equal(child.errors.length, 1);
    assert.match(child.errors[0] ?? "", /^Cannot end within 300 ms: still open are .*TCPServerWrap/);
  });

  test("prints what closing fails with, exit code 1", { timeout }, async (t) => {
    const child = start(t, "closes", ["fail"]);
    await child.waitForLine(/^ready$/);
    assert.deepEqual(await child.stop(), { code: 1, signal: null });
    assert.deepEqual(child.errors, ["Cannot close: told to fail"]);
  });
});
