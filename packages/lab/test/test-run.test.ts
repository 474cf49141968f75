import assert from "node:assert/strict";
import { on, once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { finished } from "node:stream/promises";
import test, { type TestContext } from "node:test";
import { startProgram } from "@ipc/core/child";
import { runTests, type TestRunOptions } from "../src/tests/test-run.ts";
import { makeFolder, manifest, testFile } from "./fixture.ts";

const timeout = 60_000;

/** Runs one test file as that of core, which needs no tables. */
function runOne(t: TestContext, text: string, options: TestRunOptions = {}) {
  return run(t, { "packages/core/test/one.test.ts": text }, options);
}

async function run(t: TestContext, files: Record<string, string>, options: TestRunOptions = {}) {
  const root = await makeFolder(t, { "packages/core/package.json": manifest("core"), ...files });
  const lines: string[] = [];
  const summary = await runTests([], {
    root,
    requiresAll: false,
    print: (line) => lines.push(line),
    ...options,
  });
  return { summary, lines, text: lines.join("\n") };
}

test("runTests() counts and closes with the counts alone on the last line", { timeout }, async (t) => {
  const { summary, lines } = await runOne(t, testFile({ good: "", "not here": "t.skip('no reason to run');" }));
  assert.deepEqual(summary, { passed: 1, failed: 0, skipped: 1 });
  assert.match(lines[0] ?? "", /^✓ packages\/core\/test\/one\.test\.ts {2}1 passed, 1 skipped {2}\d+\.\d s$/);
  assert.equal(lines[1], "  - not here: skipped, no reason to run");
  assert.equal(lines.at(-1), "1 passed, 0 failed, 1 skipped");
});

test("runTests() shows a failed test with its name, its file and the whole error", { timeout }, async (t) => {
  const { summary, text } = await runOne(
    t,
    testFile({ good: "", bad: "console.log('said before'); throw new RangeError('far too large');" }),
  );
  assert.deepEqual(summary, { passed: 1, failed: 1, skipped: 0 });
  assert.match(
    text,
    /✗ bad \(packages\/core\/test\/one\.test\.ts\)\n {4}RangeError.*: far too large\n +at .*one\.test\.ts:3:/,
  );
  assert.match(text, /It printed:\n {4}said before/);
});

test("runTests() names a failed subtest after its parent", { timeout }, async (t) => {
  const { text } = await runOne(t, testFile({ outer: "return t.test('inner', () => { throw new Error('x'); });" }));
  assert.match(text, /✗ outer > inner \(packages/);
});

test("runTests() counts a file that throws at import as failed and shows why", { timeout }, async (t) => {
  const { summary, text } = await runOne(t, "throw new Error('at import');");
  assert.deepEqual(summary, { passed: 0, failed: 1, skipped: 0 });
  assert.match(text, /Error: at import\n +at .*one\.test\.ts:1/);
});

test("runTests() counts a file without tests as failed", { timeout }, async (t) => {
  const { summary, text } = await runOne(t, "export {};");
  assert.deepEqual(summary, { passed: 0, failed: 1, skipped: 0 });
  assert.match(text, /no test ran in this file/);
});

test("runTests() counts a file whose tests pass but that sets an exit code as failed", {
  timeout,
}, async (t) => {
  const { summary } = await runOne(t, `${testFile({ good: "" })}\nprocess.exitCode = 3;`);
  assert.deepEqual(summary, { passed: 1, failed: 1, skipped: 0 });
});

test("runTests() counts a file that exits in the middle of a test as failed", { timeout }, async (t) => {
  const { summary } = await runOne(t, testFile({ exits: "process.exit(0);", never: "" }));
  assert.equal(summary.failed, 1);
});

test("runTests() ends a file that does not end by itself and names its open test", { timeout }, async (t) => {
  const { summary, text } = await runOne(
    t,
    'import test from "node:test"; test("hangs", () => new Promise(() => setInterval(() => {}, 1000)));',
    { fileTimeoutMs: 2_000 },
  );
  assert.equal(summary.failed, 1);
  assert.match(text, /it did not end within 2 s, before the end of "hangs"/);
});

test("runTests() fails when there is no test at all", { timeout }, async (t) => {
  const { summary, lines } = await run(t, {});
  assert.equal(summary.failed, 1);
  assert.equal(lines.at(-1), "0 passed, 1 failed, 0 skipped");
});

test("runTests() fails when every test was skipped", { timeout }, async (t) => {
  const { summary } = await runOne(t, testFile({ a: "t.skip('cannot apply');" }));
  assert.equal(summary.failed, 1);
});

test("runTests() with requiresAll fails what needs a missing program, and only that", {
  timeout,
}, async (t) => {
  const text = testFile({
    good: "",
    "by hand": "t.skip('needs nc: apt-get install netcat-openbsd');",
    silent: "t.skip('a datagram has no connection');",
  });
  const relaxed = await runOne(t, text);
  assert.deepEqual(relaxed.summary, { passed: 1, failed: 0, skipped: 2 });
  const strict = await runOne(t, text, { requiresAll: true });
  assert.deepEqual(strict.summary, { passed: 1, failed: 1, skipped: 1 });
  assert.match(strict.text, /✗ by hand .*\n.*IPC_REQUIRE=all: needs nc: apt-get install netcat-openbsd/);
});

test("runTests() runs heavy files after all others", { timeout }, async (t) => {
  const { lines } = await run(t, {
    "packages/core/test/a.heavy.test.ts": testFile({ a: "" }),
    "packages/core/test/b.test.ts": testFile({ b: "" }),
    "packages/core/test/c.test.ts": testFile({ c: "" }),
  });
  const files = lines.flatMap((line) => /^✓ (\S+)/.exec(line)?.[1] ?? []);
  assert.equal(files.length, 3);
  assert.equal(files.at(-1), "packages/core/test/a.heavy.test.ts");
});

test("the program `pnpm test` ends what it runs when it is told to stop", { timeout }, async (t) => {
  // Both processes hold a connection to this one, which closes when they are gone.
  const listener = createServer().listen(0, "127.0.0.1");
  t.after(() => listener.close());
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const connectHere = `import { connect } from "node:net"; connect(${port}, "127.0.0.1").on("error", () => {});`;
  const root = await makeFolder(t, {
    "packages/core/package.json": manifest("core"),
    "packages/core/server.js": connectHere,
    "packages/core/test/one.test.ts": [
      connectHere,
      'import { spawn } from "node:child_process";',
      'import { once } from "node:events";',
      'import test from "node:test";',
      'test("waits for a server that does not end", async () => {',
      '  await once(spawn(process.execPath, ["packages/core/server.js"], { detached: true }), "exit");',
      "});",
    ].join("\n"),
  });
  const program = startProgram(new URL("../bin/test.ts", import.meta.url), ["--root", root], { cwd: root });
  t.after(() => program.stop("SIGKILL"));
  const closed: Promise<unknown>[] = [];
  for await (const [socket] of on(listener, "connection") as AsyncIterable<[Socket]>) {
    closed.push(finished(socket.resume()).catch(() => {}));
    if (closed.length === 2) break;
  }
  assert.deepEqual(await program.stop(), { code: 1, signal: null });
  assert.deepEqual(program.errors, ["Interrupted"]);
  await Promise.all(closed);
});

test("the program `pnpm test` says which packages there are, in one line, exit code 1", {
  timeout,
}, async (t) => {
  const program = startProgram(new URL("../bin/test.ts", import.meta.url), ["no-such-package"]);
  t.after(() => program.stop("SIGKILL"));
  assert.deepEqual(await program.exited, { code: 1, signal: null });
  assert.equal(program.errors.length, 1);
  assert.match(program.errors[0] ?? "", /^Cannot test 'no-such-package': the packages are core, /);
});
