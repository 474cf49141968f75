import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { listExamples, listPackages } from "../src/examples.ts";
import { findImportProblems, findStructureProblems } from "../src/structure.ts";
import { makeFolder, manifest } from "./fixture.ts";

const timeout = 30_000;

test("there are examples", { timeout }, async () => {
  assert.ok((await listExamples()).length > 0);
});

for (const example of await listExamples()) {
  test(`packages/${example.name} is laid out as every example`, { timeout }, async () => {
    assert.deepEqual(await findStructureProblems(example), []);
  });
}

test("core imports no example and not the lab", { timeout }, async () => {
  const core = (await listPackages()).find(({ name }) => name === "core");
  assert.ok(core);
  assert.deepEqual(await findImportProblems(core), []);
});

test("core's README names every file of it", { timeout }, async () => {
  const core = (await listPackages()).find(({ name }) => name === "core");
  assert.ok(core);
  const readme = await readFile(core.readme, "utf8");
  const files = (await readdir(join(core.folder, "src"))).filter((name) => name.endsWith(".ts"));
  assert.deepEqual(
    files.filter((name) => !readme.includes(`(src/${name})`)),
    [],
  );
});

const readme = [
  "# a-way",
  "## Files",
  "Not a file of the package: `net`. The idea: [`src/server.ts`](src/server.ts), then `src/more.ts`.",
  "## Use it in your code",
  "### With options",
  "## Copy it",
  "## On the wire",
  "## What happens when",
  "## How fast",
  "## When to use it, when not",
  "## Before production",
].join("\n\n");
const scripts = Object.fromEntries(
  ["start", "start:server", "start:client", "test", "typecheck"].map((name) => [name, "node"]),
);
const lines = (count: number) => "// line\n".repeat(count);

/** Gives the problems of a small example: a good one, changed. */
async function problemsOf(t: TestContext, changed: Record<string, string> = {}, without: string[] = []) {
  const root = await makeFolder(t, {
    "packages/a-way/package.json": manifest("a-way", { scripts }),
    "packages/a-way/README.md": readme,
    "packages/a-way/bin/server.ts": lines(30),
    "packages/a-way/bin/start.ts": 'import { startProgram } from "@ipc/core/child";\n',
    "packages/a-way/src/server.ts": lines(120),
    "packages/a-way/src/more.ts": `import "./server.ts";\nimport { readFile } from "node:fs/promises";\n${lines(300)}`,
    "packages/a-way/test/a-way.test.ts": 'import { startServer } from "../src/server.ts";\n',
  });
  const folder = join(root, "packages/a-way");
  for (const [path, text] of Object.entries(changed)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  for (const path of without) await rm(join(folder, path));
  const [example] = await listExamples(root);
  assert.ok(example);
  return findStructureProblems(example);
}

test("findStructureProblems() has nothing to say about a good example", { timeout }, async (t) => {
  assert.deepEqual(await problemsOf(t), []);
});

test("findStructureProblems() asks for no server and no client where the roles are threads", { timeout }, async (t) => {
  const alone = Object.fromEntries(["start", "test", "typecheck"].map((name) => [name, "node"]));
  const changed = { "package.json": manifest("a-way", { scripts: alone }) };
  const threads = { ...changed, "bin/threads/producer.ts": lines(30) };
  assert.deepEqual(await problemsOf(t, threads, ["bin/server.ts"]), []);
  assert.deepEqual(await problemsOf(t, changed, ["bin/server.ts"]), [
    "a-way: package.json has no script start:server",
    "a-way: package.json has no script start:client",
  ]);
});

const wrong: Record<string, [Record<string, string>, RegExp]> = {
  "a heading that is missing": [
    { "README.md": readme.replace("## How fast", "") },
    /^a-way: the headings of README\.md are .*, they should be Files · /,
  ],
  "headings in another order": [
    { "README.md": readme.replace("## Copy it\n\n## On the wire", "## On the wire\n\n## Copy it") },
    /the headings of README\.md/,
  ],
  "a script that is missing": [
    { "package.json": manifest("a-way", { scripts: { ...scripts, "start:client": undefined } }) },
    /^a-way: package\.json has no script start:client$/,
  ],
  "a bin without a script": [{ "bin/relay.ts": "" }, /^a-way: package\.json has no script start:relay$/],
  "a bin that is too long": [{ "bin/server.ts": lines(31) }, /^a-way: bin\/server\.ts has 31 lines, 30 are allowed$/],
  "a first file that is too long": [{ "src/server.ts": lines(121) }, /src\/server\.ts has 121 lines, 120 are/],
  "a section Files without a file": [
    { "README.md": readme.replaceAll("src/", "source/") },
    /the section Files of README\.md names no file/,
  ],
  "an import of another example": [
    { "src/more.ts": 'import { x } from "@ipc/b-way";' },
    /^a-way: src\/more\.ts imports @ipc\/b-way$/,
  ],
  "a file of another example": [
    { "test/a-way.test.ts": 'await import("../../b-way/src/index.ts");' },
    /test\/a-way\.test\.ts imports \.\.\/\.\.\/b-way\/src\/index\.ts$/,
  ],
  "a dependency on the lab": [
    { "package.json": manifest("a-way", { scripts, devDependencies: { "@ipc/lab": "workspace:*" } }) },
    /^a-way: package\.json depends on @ipc\/lab$/,
  ],
};
for (const [what, [changed, says]] of Object.entries(wrong)) {
  test(`findStructureProblems() finds ${what}`, { timeout }, async (t) => {
    const problems = await problemsOf(t, changed);
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", says);
  });
}

test("findStructureProblems() finds a README that is missing", { timeout }, async (t) => {
  const problems = await problemsOf(t, {}, ["README.md"]);
  assert.equal(problems[0], "a-way: README.md is missing");
});
