import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Child, type ChildOptions, startProgram } from "../src/child.ts";

const timeout = 20_000;

function start(t: TestContext, name: string, args: string[] = [], options: ChildOptions = {}): Child {
  const child = startProgram(new URL(`fixtures/${name}.ts`, import.meta.url), args, options);
  t.after(() => child.stop("SIGKILL"));
  return child;
}

describe("startProgram()", { concurrency: 3 }, () => {
  test("resolves ready with the URL of the ready line, and stop() with how it ended", { timeout }, async (t) => {
    const child = start(t, "echo-server");
    assert.match(await child.ready, /^tcp:\/\/127\.0\.0\.1:\d+$/);
    assert.ok(child.pid > 0);
    assert.equal(process.kill(child.pid, 0), true);
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
    assert.throws(() => process.kill(child.pid, 0), { code: "ESRCH" });
  });

  test("takes a path, a file: URL as text and a URL", { timeout }, async (t) => {
    const url = new URL("fixtures/echo-server.ts", import.meta.url);
    const children = [url, url.href, fileURLToPath(url)].map((file) => startProgram(file, ["--help"]));
    t.after(() => Promise.all(children.map((child) => child.stop("SIGKILL"))));
    for (const child of children) assert.deepEqual(await child.exited, { code: 0, signal: null });
  });

  test("rejects ready, with what was printed, when the program ends before it is ready", { timeout }, async (t) => {
    const child = start(t, "echo-server", ["--bogus"]);
    await assert.rejects(child.ready, /Unknown option '--bogus'/);
    assert.deepEqual(await child.exited, { code: 1, signal: null });
  });

  test("tells of the signal that ended a program", { timeout }, async (t) => {
    const child = start(t, "echo-server");
    await child.ready;
    assert.deepEqual(await child.stop("SIGKILL"), { code: null, signal: "SIGKILL" });
  });

  test("stop() of a program that has ended resolves with how it ended", { timeout }, async (t) => {
    const child = start(t, "echo-server", ["--help"]);
    const exit = await child.exited;
    assert.deepEqual(await child.stop(), exit);
  });

  test("keeps every line of both outputs, and hands each on as it comes", { timeout }, async (t) => {
    const lines: string[] = [];
    const onLine = (line: string, from: string) => lines.push(`${from}: ${line}`);
    const child = start(t, "speaks", ["out", "err"], { onLine });
    await child.exited;
    // 1,000 lines, the last without its end: all are read before `exited` resolves.
    assert.deepEqual(
      child.output,
      Array.from({ length: 1_000 }, (_, i) => `out ${i}`),
    );
    assert.deepEqual(
      child.errors,
      Array.from({ length: 1_000 }, (_, i) => `err ${i}`),
    );
    assert.equal(lines.length, 2_000);
    assert.ok(lines.includes("stdout: out 999") && lines.includes("stderr: err 0"));
  });

  test("hands on what is written to stdin, the environment and the folder", { timeout }, async (t) => {
    const child = start(t, "speaks", [], { env: { SPEAKS_ENV: "from outside" }, cwd: tmpdir() });
    child.stdin.end("over stdin");
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const [stdin, env, cwd] = child.output;
    assert.deepEqual([stdin, env], ["stdin: over stdin", "env: from outside"]);
    assert.match(cwd ?? "", /^cwd: \//);
    assert.notEqual(cwd, `cwd: ${process.cwd()}`);
  });

  test("a write to a program that is gone does no harm", { timeout }, async (t) => {
    const child = start(t, "echo-server", ["--help"]);
    await child.exited;
    child.stdin.write("too late");
  });

  test("waitForLine() finds a line that was printed, and one still to come, on either output", {
    timeout,
  }, async (t) => {
    const child = start(t, "speaks", ["out", "err"]);
    assert.equal(await child.waitForLine(/^out 5$/), "out 5");
    assert.equal(await child.waitForLine(/^err 999$/), "err 999");
    await child.exited;
    assert.equal(await child.waitForLine(/^out 5$/), "out 5");
  });

  test("waitForLine() rejects with what was printed when the program ends without", { timeout }, async (t) => {
    const child = start(t, "ends-badly", ["throw-later"]);
    const expected = {
      message: "Cannot find /never/ in what the process printed: running / out of a timer",
    };
    await assert.rejects(child.waitForLine(/never/), expected);
    await assert.rejects(child.waitForLine(/never/), expected);
  });

  test("rejects exited and ready when the process cannot be started at all", { timeout }, async (t) => {
    const child = startProgram("nothing.ts", [], { cwd: join(tmpdir(), "no-such-folder") });
    t.after(() => child.stop("SIGKILL").catch(() => {}));
    await assert.rejects(child.exited, { code: "ENOENT" });
    await Promise.race([
      assert.rejects(child.ready),
      pause(2_000).then(() => assert.fail("ready is still pending although the process never began")),
    ]);
  });

  test("fails as any program when the file does not exist", { timeout }, async (t) => {
    const child = startProgram(new URL("fixtures/no-such-file.ts", import.meta.url));
    t.after(() => child.stop("SIGKILL"));
    await assert.rejects(child.ready, /Cannot find module|ERR_MODULE_NOT_FOUND/);
    assert.equal((await child.exited).code, 1);
  });
});

test("startProgram() takes 16,000 lines in linear time: within 1 s of CPU", { timeout }, async (t) => {
  // Alone, outside describe(): what runs beside it would count.
  const start_ = process.cpuUsage();
  const child = start(t, "speaks", ["out", "--lines=16000"]);
  await child.exited;
  const { user, system } = process.cpuUsage(start_);
  t.diagnostic(`${((user + system) / 1_000).toFixed(0)} ms of CPU`);
  assert.equal(child.output.length, 16_000);
  assert.ok(user + system <= 1_000_000, `took ${user + system} µs`);
});
