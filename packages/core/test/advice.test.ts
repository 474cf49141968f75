import assert from "node:assert/strict";
import { test } from "node:test";
import { advise } from "../src/advice.ts";
import { describeError } from "../src/process.ts";

const timeout = 10_000;
const table = advise({ EADDRINUSE: "Choose another path" });

test("advise() puts a program's own advice in the place of the usual one", { timeout }, async () => {
  const cause = Object.assign(new Error("Cannot listen"), { code: "EADDRINUSE" });
  const error: unknown = await Promise.reject(cause)
    .catch(table)
    .catch((reason: unknown) => reason);
  assert.equal(describeError(error), "Cannot listen. Choose another path");
  assert.ok(error instanceof Error && error.cause === cause);
});

test("advise() leaves errors that are not in its table as they are", { timeout }, async () => {
  for (const reason of [new Error("no code"), Object.assign(new Error("other"), { code: "EACCES" }), "a string"]) {
    await assert.rejects(
      async () => await Promise.reject(reason).catch(table),
      (error) => error === reason,
    );
  }
});
