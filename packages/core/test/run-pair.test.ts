import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { startProgram } from "../src/child.ts";
import { until } from "./support.ts";

const timeout = 20_000;

/** Which of these processes still run. */
const running = (pids: number[]) =>
  pids.filter((pid) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  });

describe("runPair()", { concurrency: 3 }, () => {
  const pair = (t: TestContext, server: string[] = [], client: string[] = []) => {
    const file = new URL("fixtures/pair.ts", import.meta.url);
    const child = startProgram(file, [JSON.stringify(server), JSON.stringify(client)]);
    t.after(() => child.stop("SIGKILL"));
    return child;
  };

  test("runs server and client, shows what each prints, stops the server, exit code 0", { timeout }, async (t) => {
    const child = pair(t);
    assert.deepEqual(await child.exited, { code: 0, signal: null }, child.errors.join("\n"));
    assert.deepEqual(child.errors, []);
    assert.equal(child.output.length, 2);
    assert.match(child.output[0] ?? "", /^server │ echo listening on tcp:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(child.output[1], "client │ got Hello");
  });

  test("ends with exit code 1 when the client fails, and shows why", { timeout }, async (t) => {
    const child = pair(t, [], ["--fail"]);
    assert.deepEqual(await child.exited, { code: 1, signal: null });
    assert.deepEqual(child.errors, ["client │ Cannot go on: told to fail"]);
  });

  test("ends with exit code 1 when the server cannot start, and starts no client", { timeout }, async (t) => {
    const child = pair(t, ["--bogus"]);
    assert.deepEqual(await child.exited, { code: 1, signal: null });
    assert.deepEqual(child.output, []);
    assert.deepEqual(child.errors, ["server │ Unknown option '--bogus'. Try --help"]);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} ends all three processes, exit code 0`, { timeout }, async (t) => {
      const child = pair(t, ["--say-pid"], ["--stay", "--say-pid"]);
      const pids = await Promise.all(
        ["server", "client"].map(async (role) => {
          const line = await child.waitForLine(new RegExp(`^${role} +│ pid \\d+$`));
          return Number(line.split(" ").at(-1));
        }),
      );
      await child.waitForLine(/staying/);
      assert.equal(running(pids).length, 2);
      assert.deepEqual(await child.stop(signal), { code: 0, signal: null }, child.errors.join("\n"));
      await until(() => running(pids).length === 0);
    });
  }
});
