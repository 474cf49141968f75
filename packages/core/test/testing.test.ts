import assert from "node:assert/strict";
import test from "node:test";
import { residentMib, signalled, until } from "../src/testing.ts";

const timeout = 10_000;

test("until() gives what was seen, not before it is there", { timeout }, async () => {
  let looks = 0;
  assert.equal(await until(() => (++looks === 3 ? "there" : undefined), 1), "there");
  assert.equal(await until(() => 0, 1), 0, "0 is something");
  await assert.rejects(
    until(() => {
      throw new Error("broken");
    }),
    /broken/,
  );
});

test("until() gives up", { timeout }, async (t) => {
  t.mock.method(performance, "now", () => (looks === 0 ? 0 : 40_000));
  let looks = 0;
  await assert.rejects(
    until(() => {
      looks++;
      return false;
    }, 1),
    /^Error: Cannot see within 30000 ms: /,
  );
  assert.equal(looks, 1);
});

test("signalled() resolves once", { timeout }, async () => {
  const { promise, resolve } = signalled<number>();
  resolve(1);
  resolve(2);
  assert.equal(await promise, 1);
});

test("residentMib() sees memory grow, also from outside", { timeout, skip: process.platform !== "linux" }, () => {
  const before = residentMib(process.pid) ?? 0;
  const held = new Uint8Array(64 * 1_048_576).fill(1);
  assert.ok((residentMib(process.pid) ?? 0) - before > 48);
  assert.equal(held[0], 1);
  assert.equal(residentMib(2 ** 30), undefined);
});
