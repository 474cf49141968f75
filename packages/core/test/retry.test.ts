import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { mock, test } from "node:test";
import { DEFAULT_WAIT_MS, retry } from "../src/retry.ts";

const timeout = 15_000;

const refused = (text = "nobody there") => Object.assign(new Error(text), { code: "ECONNREFUSED" });

/** An attempt that fails so many times, and when each was. */
function failing(times: number) {
  const at: number[] = [];
  const attempt = () => {
    at.push(performance.now());
    return at.length <= times ? Promise.reject(refused(`try ${at.length}`)) : Promise.resolve("here");
  };
  return { attempt, at };
}

/** Draws `drawn` instead of chance until the test ends. */
const drawing = (drawn: number) => mock.method(Math, "random", () => drawn);

test("retry() resolves with the first try that works, without waiting", { timeout }, async () => {
  const { attempt, at } = failing(0);
  assert.equal(await retry(attempt, { onWaiting: () => assert.fail("it does not wait") }), "here");
  assert.equal(at.length, 1);
});

test("retry() tries until it works, and says once that it waits, with the first error", { timeout }, async (t) => {
  const random = drawing(0);
  t.after(() => random.mock.restore());
  const { attempt, at } = failing(7);
  const waits: Error[] = [];
  assert.equal(await retry(attempt, { onWaiting: (error) => waits.push(error) }), "here");
  assert.equal(at.length, 8);
  assert.deepEqual(
    waits.map(({ message }) => message),
    ["try 1"],
  );
});

test("retry() makes its pauses twice as long each time, up to 1 s", { timeout }, async (t) => {
  // A fifth of each longest pause: 10, 20, 40, 80, 160, 200, 200, 200 ms.
  const random = drawing(0.2);
  t.after(() => random.mock.restore());
  const { attempt, at } = failing(8);
  await retry(attempt);
  const gaps = at.slice(1).map((time, i) => time - (at[i] ?? 0));
  for (const [i, least] of [10, 20, 40, 80, 160, 200, 200, 200].entries()) {
    // Timers may be 1 ms early.
    assert.ok((gaps[i] ?? 0) >= least - 2, `pause ${i}: ${gaps[i]} ms`);
  }
  assert.ok((gaps[7] ?? 0) < 1_000, `1,280 ms without a longest pause: ${gaps[7]}`);
});

test("retry() draws its pauses by chance, so that many clients do not knock at once", { timeout }, async (t) => {
  const random = mock.method(Math, "random");
  t.after(() => random.mock.restore());
  await retry(failing(3).attempt);
  assert.equal(random.mock.callCount(), 3);
});

test("retry() gives up at the end of waitMs, with the last error", { timeout }, async (t) => {
  const random = drawing(0.5);
  t.after(() => random.mock.restore());
  const { attempt, at } = failing(Number.POSITIVE_INFINITY);
  const start = performance.now();
  const error: unknown = await retry(attempt, { waitMs: 200 }).catch((reason: unknown) => reason);
  const elapsedMs = performance.now() - start;
  assert.ok(error instanceof Error);
  assert.equal(error.message, `try ${at.length}`);
  assert.ok(at.length >= 3);
  assert.ok(elapsedMs >= 198 && elapsedMs < 1_500, `after ${elapsedMs} ms`);
});

test("retry() shortens its last pause to end with waitMs", { timeout }, async (t) => {
  // 50, 100, 200 and 400 ms, then 50 of 800 are left.
  const random = drawing(1);
  t.after(() => random.mock.restore());
  const { attempt, at } = failing(Number.POSITIVE_INFINITY);
  const start = performance.now();
  await assert.rejects(retry(attempt, { waitMs: 800 }), { code: "ECONNREFUSED" });
  const elapsedMs = performance.now() - start;
  assert.ok(elapsedMs >= 798 && elapsedMs < 1_400, `after ${elapsedMs} ms`);
  assert.ok(at.length >= 5, "it tries once more at the end");
});

test("retry() with waitMs 0 tries once and says nothing", { timeout }, async () => {
  const { attempt, at } = failing(1);
  const onWaiting = () => assert.fail("it does not wait");
  await assert.rejects(retry(attempt, { waitMs: 0, onWaiting }), { code: "ECONNREFUSED" });
  assert.equal(at.length, 1);
});

test("retry() waits for 10 s unless told otherwise", { timeout }, () => {
  assert.equal(DEFAULT_WAIT_MS, 10_000);
});

const mistakes: [what: string, reason: unknown][] = [
  ["a mistake in a program", new TypeError("x is not a function")],
  ["an error of Node's own", Object.assign(new TypeError("bad"), { code: "ERR_INVALID_ARG_TYPE" })],
  ["something that is no error", "text"],
  ["an error with a code that is a number", Object.assign(new Error("aborted"), { code: 20 })],
];
for (const [what, reason] of mistakes) {
  test(`retry() does not try again after ${what}`, { timeout }, async () => {
    let tries = 0;
    const attempt = () => {
      tries++;
      return Promise.reject(reason);
    };
    const got: unknown = await retry(attempt).then(
      () => assert.fail("it rejects"),
      (error: unknown) => error,
    );
    assert.equal(got, reason);
    assert.equal(tries, 1);
  });
}

test("retry() stops when its signal aborts during a pause, with the signal's reason", { timeout }, async (t) => {
  const random = drawing(1);
  t.after(() => random.mock.restore());
  const stop = new AbortController();
  const reason = new Error("no longer needed");
  const { attempt, at } = failing(Number.POSITIVE_INFINITY);
  // After onWaiting the pause begins in the same turn.
  const waiting = retry(attempt, { signal: stop.signal, onWaiting: () => setImmediate(() => stop.abort(reason)) });
  await assert.rejects(waiting, reason);
  assert.equal(at.length, 1);
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
});

test("retry() stops when its signal aborts during a try, with the signal's reason", { timeout }, async () => {
  const stop = new AbortController();
  const reason = new Error("no longer needed");
  let tries = 0;
  const attempt = () => {
    tries++;
    stop.abort(reason);
    return Promise.reject(refused());
  };
  await assert.rejects(retry(attempt, { signal: stop.signal }), reason);
  assert.equal(tries, 1);
});

test("retry() does not try when its signal is aborted already", { timeout }, async () => {
  const { attempt, at } = failing(0);
  const reason = new Error("no longer needed");
  await assert.rejects(retry(attempt, { signal: AbortSignal.abort(reason) }), reason);
  assert.equal(at.length, 0);
});

test("retry() leaves no listener on its signal", { timeout }, async (t) => {
  const random = drawing(0);
  t.after(() => random.mock.restore());
  const stop = new AbortController();
  await retry(failing(5).attempt, { signal: stop.signal });
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
});
