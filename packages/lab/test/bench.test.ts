import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { listBenches, runBench } from "../src/bench/catalog.ts";
import type { BenchSettings, Group } from "../src/bench/group.ts";
import { formatFigure, formatGroup } from "../src/bench/report.ts";
import { measureInRounds } from "../src/bench/rounds.ts";
import { bestOf, isNoisy, judge, pairedRatio } from "../src/bench/statistics.ts";
import { measureGroup } from "../src/bench/suite.ts";
import { wrongResult } from "../src/bench/variant.ts";
import { startWorker } from "../src/bench/worker-process.ts";

const LIMIT = { timeout: 30_000 };
/** What `ps` shows of every process that is started here. */
const MARK = `bench-test-${randomUUID()}`;
const settings: BenchSettings = { rounds: 3, isQuick: true, isMarkdown: false };

test("pairedRatio() is the median of the ratios of each round, not the ratio of the medians", () => {
  const figures = new Map([
    ["a", [10, 200, 30]],
    ["b", [5, 100, 5]],
  ]);
  assert.deepEqual(pairedRatio(figures, "a", "b"), { median: 2, min: 2, max: 6 });
  assert.equal(pairedRatio(figures, "a", "c"), undefined);
});

test("judge() compares with the peer that has the best median, round by round", () => {
  const figures = new Map([
    ["ours", [10, 12, 14]],
    ["good", [5, 6, 4]],
    ["lucky once", [1, 1, 100]],
  ]);
  const against = ["lucky once", "good", "never measured"];
  const verdict = judge(figures, { variant: "ours", against, atLeast: 2 }, "more");
  assert.equal(verdict.against, "good");
  assert.deepEqual(verdict.ratio, { median: 2, min: 2, max: 3.5 });
  assert.equal(verdict.isReached, true);
  assert.equal(judge(figures, { variant: "ours", against, atLeast: 2.01 }, "more").isReached, false);
  assert.equal(judge(figures, { variant: "ours", against: "good", atMost: 2 }, "more").isReached, true);
  assert.equal(judge(figures, { variant: "ours", against: "good", atMost: 1.99 }, "more").isReached, false);
});

test("judge() misses a target when one of the two was not measured", () => {
  const figures = new Map([["ours", [1]]]);
  const verdict = judge(figures, { variant: "ours", against: ["theirs"], atLeast: 0 }, "more");
  assert.deepEqual([verdict.ratio, verdict.isReached], [undefined, false]);
});

test("bestOf() takes the smallest median where less is better", () => {
  const figures = new Map([
    ["slow", [9, 9, 1]],
    ["fast", [2, 2, 50]],
  ]);
  assert.equal(bestOf(figures, ["slow", "fast"], "less"), "fast");
  assert.equal(bestOf(figures, ["slow", "fast"], "more"), "slow");
});

test("isNoisy() when the A/A median leaves 0.93 to 1.07", () => {
  const verdicts = [0.92, 0.93, 1, 1.07, 1.08].map((median) => isNoisy({ median, min: 0.1, max: 9 }));
  assert.deepEqual(verdicts, [true, false, false, false, true]);
});

test("measureInRounds() goes A B C, A B C, one at a time, and does not count the first rounds", async () => {
  const order: string[] = [];
  let running = 0;
  const { figures } = await measureInRounds(
    ["a", "b", "c"],
    async (name) => {
      assert.equal(++running, 1);
      await delay(1);
      running--;
      return order.push(name);
    },
    { rounds: 2, discarded: 1 },
  );
  assert.equal(order.join(""), "abcabcabc");
  assert.deepEqual(Object.fromEntries(figures), { a: [4, 7], b: [5, 8], c: [6, 9] });
});

test("measureInRounds() reports a variant with wrong results and goes on without it", async () => {
  let round = 0;
  const measure = (name: string) => {
    if (name === "b" && round++ === 1) return Promise.reject(wrongResult("3 frames of 4"));
    return Promise.resolve(1);
  };
  const { figures, wrong } = await measureInRounds(["a", "b"], measure, { rounds: 3, discarded: 0 });
  assert.deepEqual(Object.fromEntries(figures), { a: [1, 1, 1] });
  assert.deepEqual(Object.fromEntries(wrong), { b: "3 frames of 4" });
  assert.equal(round, 2);
});

test("startWorker() sets up and measures in a process of its own, which ends on close()", LIMIT, async (t) => {
  const module = moduleOf(
    "({ factor }) => ({ pids: [process.pid + 1], measure: ({ forMs }) => forMs * factor, close() {} })",
  );
  const worker = await startWorker("double", module, { factor: 2 });
  t.after(() => worker.close());
  assert.equal(worker.pids.length, 2);
  assert.notEqual(worker.pids[0], process.pid);
  assert.equal(worker.pids[1], Number(worker.pids[0]) + 1);
  assert.deepEqual([await worker.measure(21), await worker.measure(4)], [42, 8]);
  assert.equal(await isAnyLeft(), true);
  await worker.close();
  await untilNoneIsLeft();
});

test("measureGroup() measures the reference twice", LIMIT, async () => {
  const { result } = await measureGroup(groupOf("() => ({ measure: () => 7 })"), settings);
  assert.deepEqual(Object.fromEntries(result.figures), {
    first: [7, 7, 7],
    second: [7, 7, 7],
    "first (again)": [7, 7, 7],
  });
});

test("measureGroup() keeps a wrong result apart from a failure", LIMIT, async () => {
  const wrong = "() => { throw Object.assign(new Error('lost 1'), { code: 'ERR_BENCH_WRONG_RESULT' }); }";
  const group = groupOf(`() => ({ measure: ${wrong} })`);
  const { result } = await measureGroup(group, settings);
  assert.equal(result.wrong.get("second"), "lost 1");
  assert.match(formatGroup(group, result, settings), /second is not measured: lost 1/);
});

for (const [how, body, message] of [
  ["throws", "throw new Error('no luck\\nmore')", /^Cannot measure 'second': no luck$/],
  ["throws where nobody awaits it", "setImmediate(() => { throw new Error('no luck'); }); return never", /: no luck$/],
  ["ends itself", "process.exit(7)", /^Cannot measure 'second': its process ended with exit code 7$/],
  ["is killed", "process.kill(process.pid, 'SIGKILL'); return never", /: its process ended with signal SIGKILL$/],
] as const) {
  test(`measureGroup() says so in one line when a worker ${how}, and leaves no process behind`, LIMIT, async () => {
    const group = groupOf(`async () => {
      const { spawn } = await import("node:child_process");
      const server = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", "${MARK}"], { stdio: "ignore" });
      const never = new Promise(() => {});
      return { pids: [server.pid], measure: () => { ${body} } };
    }`);
    await assert.rejects(measureGroup(group, settings), { message });
    await untilNoneIsLeft();
  });
}

test("startWorker() rejects in one line when the module has no setup, or setup fails", LIMIT, async () => {
  const empty = new URL("data:text/javascript,export const other = 1");
  await assert.rejects(startWorker("empty", empty, {}), {
    message: /^Cannot measure 'empty': .*no function 'setup'$/,
  });
  const failing = moduleOf("() => { throw new Error('no server\\nmore'); }");
  await assert.rejects(startWorker("failing", failing, {}), {
    message: "Cannot measure 'failing': no server",
  });
});

test("close() ends a worker that does not close by itself", LIMIT, async () => {
  const worker = await startWorker(
    "stuck",
    moduleOf("() => ({ measure: () => 1, close: () => new Promise(() => {}) })"),
    {},
  );
  await worker.close();
  await untilNoneIsLeft();
});

test("formatGroup() shows targets, reached or not, and a noisy run, within 80 columns", () => {
  const group: Group = {
    ...groupOf(""),
    targets: [
      { variant: "first", against: ["second"], atLeast: 2 },
      { variant: "first", against: "second", atMost: 2 },
    ],
    notes: [`A note ${"that is much too long for one line ".repeat(4)}`],
  };
  const figures = new Map([
    ["first", [3e6, 3e6, 3e6]],
    ["second", [1e6, 1e6, 1.5e6]],
    ["first (again)", [6e6, 6e6, 6e6]],
  ]);
  const result = { figures, wrong: new Map() };
  const text = formatGroup(group, result, settings);
  assert.match(text, /^first +3 M +1$/m);
  assert.match(text, /✓ first: at least 2 x the best of them \(second\): 3\.00 \(2\.00\.\.3\.00\)/);
  assert.match(text, /✗ first: at most 2 x second/);
  assert.match(text, /A\/A 2\.00 .*NOISY/);
  assert.ok(text.split("\n").every((line) => line.length <= 80));
  assert.match(formatGroup(group, result, { isMarkdown: true }), /^\| first +\| +3 M \| +1 \|$/m);
});

test("formatFigure() keeps three digits", () => {
  const shown = [0.07123, 12.345, 9999, 12_345, 1_234_567, 2e9].map(formatFigure);
  assert.deepEqual(shown, ["0.0712", "12.3", "10 k", "12.3 k", "1.23 M", "2 G"]);
});

test("runBench() names the benchmarks there are when it is given another", async () => {
  assert.ok((await listBenches()).includes("framing"));
  await assert.rejects(runBench("nothing", settings), {
    message: /^Cannot run benchmark 'nothing': there are .*framing/,
  });
});

function moduleOf(setup: string): URL {
  const source = `process.title = "${MARK}"; export const setup = ${setup};`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

function groupOf(second: string): Group {
  return {
    title: "a group",
    unit: "figures",
    better: "more",
    variants: [
      { name: "first", module: moduleOf("() => ({ measure: () => 7 })") },
      { name: "second", module: moduleOf(second) },
    ],
  };
}

async function isAnyLeft(): Promise<boolean> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "args="]);
  return stdout.includes(MARK);
}

/** A killed process is gone a moment later, not at once. */
async function untilNoneIsLeft(): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (!(await isAnyLeft())) return;
    await delay(20);
  }
  assert.fail("a process is left");
}
