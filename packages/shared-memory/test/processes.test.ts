import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram } from "@ipc/core/child";
import { bin } from "./support.ts";

const timeout = 20_000;

test("start shows what passed between two threads and ends with 0", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--once", "--messages", "20000", "--rest-ms", "50"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 0, signal: null });
  assert.deepEqual(start.errors, []);
  const shown = start.output.map((line) => line.replace(/waited \d+/, "waited N"));
  const totals = "20,000 messages, 1,238,746 bytes, sum ";
  const [checksum, other] = shown.flatMap((line) => /sum ([0-9a-f]{8})/.exec(line)?.[1] ?? []);
  assert.equal(checksum, other);
  assert.deepEqual(shown.toSorted(), [
    `consumer │ a thread of pid ${start.pid}: got "message 0", rests for 50 ms`,
    `consumer │ read  ${totals}${checksum}`,
    `producer │ a thread of pid ${start.pid}: writes 20,000 messages`,
    "producer │ the ring is full: waits for room",
    `producer │ wrote ${totals}${checksum}, waited N ms`,
  ]);
});

test("start ends with 0 on SIGINT and on SIGTERM, also while a thread is blocked, and with all read", {
  timeout,
}, async (t) => {
  for (const [signal, restMs] of [
    ["SIGINT", "0"],
    ["SIGTERM", "0"],
    ["SIGINT", "500"],
  ] as const) {
    const start = startProgram(bin("start"), ["--messages", "1000000000", "--rest-ms", restMs]);
    t.after(() => start.stop("SIGKILL"));
    await start.waitForLine(/rests/);
    assert.deepEqual(await start.stop(signal), { code: 0, signal: null });
    assert.deepEqual(start.errors, []);
    const sums = start.output.flatMap((line) => /sum ([0-9a-f]{8})/.exec(line)?.[1] ?? []);
    assert.equal(sums.length, 2, start.output.join("\n"));
    assert.equal(sums[0], sums[1], "what was written is read");
  }
});

test("SIGINT while the program or its threads come up is no error", { timeout }, async (t) => {
  // At times by chance: none of them is a bad one.
  for (let afterMs = 150; afterMs < 650; afterMs += 50) {
    const start = startProgram(bin("start"), ["--messages", "1000000000"]);
    t.after(() => start.stop("SIGKILL"));
    await sleep(afterMs);
    const { code } = await start.stop("SIGINT");
    // Null: it was so early that Node itself ended the process.
    assert.ok(code === 0 || code === null, `after ${afterMs} ms: ${start.errors.join()}`);
    assert.deepEqual(start.errors, []);
    const sums = start.output.flatMap((line) => /sum ([0-9a-f]{8})/.exec(line)?.[1] ?? []);
    assert.ok(new Set(sums).size <= 1, "what was written is read");
  }
});

test("a consumer that does not come back is cut off at the end of graceMs: one line, exit code 1", {
  timeout,
}, async (t) => {
  const start = startProgram(bin("start"), ["--messages", "1000000000", "--rest-ms", "4000", "--grace-ms", "100"]);
  t.after(() => start.stop("SIGKILL"));
  await start.waitForLine(/rests/);
  const { code } = await start.stop("SIGTERM");
  assert.equal(code, 1);
  assert.equal(start.errors.length, 1, start.errors.join("\n"));
  assert.match(start.errors[0] ?? "", /^Cannot end within 1600 ms: still open are /);
});

test("unbounded shows how one buffer grows and the other does not", { timeout }, async (t) => {
  const program = startProgram(bin("unbounded"), ["--max-bytes", "4194304"]);
  t.after(() => program.stop("SIGKILL"));
  assert.deepEqual(await program.exited, { code: 0, signal: null });
  assert.deepEqual(program.errors, []);
  assert.deepEqual(
    program.output.map((line) => line.replace(/\d+ ms/, "N ms")),
    [
      "unbounded │ has grown to 2 MiB after N ms",
      "unbounded │ has grown to 4 MiB after N ms",
      "unbounded │ Cannot write message: the limit of 4194304 bytes is reached",
      "unbounded │ 4,079 messages are read; the last had waited N ms",
      "ring      │ holds 64 KiB, all 4,080 messages are written after N ms",
      "ring      │ 4,080 messages are read; the last had waited N ms",
    ],
  );
});

test("unbounded ends with 0 on SIGINT in the middle", { timeout }, async (t) => {
  const program = startProgram(bin("unbounded"));
  t.after(() => program.stop("SIGKILL"));
  await program.waitForLine(/grown/);
  assert.deepEqual(await program.stop("SIGINT"), { code: 0, signal: null });
  assert.ok(!program.output.some((line) => line.startsWith("ring")));
});

test("wrong flags get one line that says what to do, never a stack trace", { timeout }, async (t) => {
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["start", ["--mesages", "1"], /^Unknown option '--mesages'\. Try --help$/],
    ["start", ["--messages", "many"], /^Cannot use --messages many: it takes a whole number .*\. Try --help$/],
    ["start", ["--ring-bytes", "1000"], /^Cannot use ringBytes: current value is 1000, it takes a power of two from /],
    ["start", ["65432"], /^Cannot use argument '65432'\. Try --help$/],
    ["unbounded", ["--max-bytes", "1"], /^Cannot use --max-bytes 1: it takes a whole number from 2097152 to /],
  ];
  for (const [program, args, line] of cases) {
    const child = startProgram(bin(program), args);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
    assert.equal(child.errors.length, 1, child.errors.join("\n"));
    assert.match(child.errors[0] ?? "", line);
  }
});

test("an error in a thread is one line and exit code 1", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--rest-ms", "10000", "--timeout-ms", "100"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 1, signal: null });
  assert.equal(start.errors.length, 1, start.errors.join("\n"));
  assert.match(start.errors[0] ?? "", /^producer: Cannot wait for the reader any longer: it did nothing for 100 ms$/);
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  for (const program of ["start", "unbounded"]) {
    const child = startProgram(bin(program), ["--help"]);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  }
});
