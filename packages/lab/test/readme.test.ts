/** What the READMEs and the doc comments of this repository claim. */
import test, { after } from "node:test";
import { collectChecks } from "../src/readme/readme-check.ts";

const { checks, close } = await collectChecks();
after(close);

for (const { name, timeoutMs, skip, run } of checks) {
  test(name, { timeout: timeoutMs, skip: skip ?? false }, run);
}
