import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { listExamples, repositoryRoot } from "../src/examples.ts";

const run = promisify(execFile);
const NODE_MAJOR = 24;

test(`Node ${NODE_MAJOR} runs every example without tsx`, { timeout: 180_000 }, async (t) => {
  // The npm package carries the binary: no version manager is needed, and nothing stays behind but npm's cache.
  const found = await run(
    "npm",
    ["exec", "--yes", `--package=node@${NODE_MAJOR}`, "--", "node", "-p", "process.execPath"],
    {
      env: { ...process.env, NODE_OPTIONS: "" },
    },
  ).catch((error: Error) => error);
  if (found instanceof Error) return t.skip(`needs node@${NODE_MAJOR} from npm: ${found.message.split("\n")[0]}`);
  const node = found.stdout.trim();
  assert.match((await run(node, ["--version"])).stdout, new RegExp(`^v${NODE_MAJOR}\\.`));
  for (const { name, folder } of await listExamples(repositoryRoot)) {
    const { stderr } = await run(node, [join(folder, "bin/start.ts"), "--once"], {
      env: { ...process.env, NODE_OPTIONS: "" },
      timeout: 60_000,
    });
    assert.equal(stderr, "", `${name} prints no warning`);
  }
});
