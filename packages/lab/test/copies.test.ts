import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { copyExample } from "../src/copy/copy.ts";
import { listExamples } from "../src/examples.ts";
import { killGroup } from "../src/process-tree.ts";
import { makeFolder } from "./fixture.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
/** An install without a cache takes a minute; every test of a package takes five on a busy machine. */
const limit = { timeout: isHeavy ? 1_200_000 : 300_000 };
const INSTALL = ["install", "--no-audit", "--no-fund", "--prefer-offline"];

for (const { name } of await listExamples()) {
  test(`a copy of ${name} installs, runs, typechecks and passes its own tests with npm`, limit, async (t) => {
    const folder = await copyOut(t, name);
    await run(t, folder, "npm", INSTALL);
    await run(t, folder, "npm", ["start", "--", "--once"]);
    await run(t, folder, "npx", ["tsc"]);
    // As JavaScript too: whoever emits needs one flag.
    const emit = ["--noEmit", "false", "--rewriteRelativeImportExtensions", "--outDir", "dist"];
    await run(t, folder, "npx", ["tsc", ...emit]);
    await run(t, folder, "node", ["--input-type=module", "--eval", 'await import("./dist/src/index.js")']);
    const args = isHeavy ? ["test"] : ["exec", "--", "node", "--import", "tsx", "--test", `test/${name}.test.ts`];
    assert.match(await run(t, folder, "npm", args), /^(?:#|ℹ) tests [1-9]/m);
  });

  test(`a copy of ${name} does so with pnpm`, {
    ...limit,
    skip: !isHeavy && "IPC_HEAVY=1 runs it",
  }, async (t) => {
    const folder = await copyOut(t, name);
    await run(t, folder, "npx", ["pnpm", "install"]);
    await run(t, folder, "npx", ["pnpm", "start", "--once"]);
    await run(t, folder, "npx", ["pnpm", "typecheck"]);
    assert.match(await run(t, folder, "npx", ["pnpm", "test"]), /^(?:#|ℹ) tests [1-9]/m);
  });
}

/** Copies out of the repository, and looks for what would lead back into it. */
async function copyOut(t: TestContext, name: string): Promise<string> {
  const folder = join(await makeFolder(t, {}), name);
  const { files } = await copyExample({ name, folder });
  assert.deepEqual(
    (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isSymbolicLink()),
    [],
  );
  for (const path of files) {
    const text = await readFile(join(folder, path), "latin1");
    assert.doesNotMatch(text, /workspace:|catalog:|@ipc\//, path);
    if (path.endsWith(".md")) assert.doesNotMatch(text, /\]\((?:\.\.\/)+|packages\/(?:core|lab)/, path);
  }
  return folder;
}

/** Runs a program to its end, and with all that it started should the test end first. */
async function run(t: TestContext, folder: string, program: string, args: string[]): Promise<string> {
  const child = spawn(program, args, {
    cwd: folder,
    env: outside(),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) killGroup(child);
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  assert.equal(code, 0, `${program} ${args.join(" ")} failed:\n${output}`);
  return output;
}

/** The environment without what pnpm and the test runner put there for this repository. The full sizes run once, here. */
function outside(): NodeJS.ProcessEnv {
  const ours =
    /^(?:NODE_TEST_CONTEXT|INIT_CWD|IPC_HEAVY|PNPM_.*|npm_(?:package|lifecycle|command|execpath|node_execpath).*)$/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  return { ...Object.fromEntries(kept), npm_config_yes: "true" };
}
