import assert from "node:assert/strict";
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { type TestContext, test } from "node:test";
import { startProgram } from "@ipc/core/child";
import { copyExample } from "../src/copy/copy.ts";
import { makeFolder } from "./fixture.ts";

const limit = { timeout: 60_000 };
const bin = new URL("../bin/copy.ts", import.meta.url);

const manifest = (name: string, more: object = {}) =>
  JSON.stringify({ name: `@ipc/${name}`, version: "1.2.3", scripts: { test: "node --test" }, ...more });

const REPOSITORY = {
  LICENSE: "MIT License\n",
  "pnpm-workspace.yaml":
    "packages:\n  - packages/*\n# Which may run.\nallowBuilds:\n  esbuild: false\n  other: true\nlast: 1\n",
  "tsconfig.base.json": `{ "compilerOptions": { "strict": true, "noEmit": true } }`,
  "packages/core/package.json": manifest("core", {
    dependencies: { "p-retry": "^7.1.0", "p-unused": "^1.0.0" },
    devDependencies: { tsx: "^4.23.0", "@types/p-retry": "^3.0.0" },
  }),
  "packages/core/src/framing.ts": `import { Buffer } from "node:buffer";\nimport { one } from "./deep/one.ts";\nexport { Buffer, one };\n`,
  "packages/core/src/deep/one.ts": `import retry from "p-retry";\nexport { two } from "../two.ts";\nexport const one = retry;\n`,
  "packages/core/src/two.ts": `/** \`import { two } from "@ipc/core/two"\`, of @ipc/core. */\nexport const two = import.meta.resolve("tsx");\n`,
  "packages/core/src/worker.ts": "export {};\n",
  "packages/core/src/unused.ts": `import "p-unused";\n`,
  "packages/lab/package.json": manifest("lab"),
  "packages/beta/package.json": manifest("beta"),
  "packages/alpha/package.json": manifest("alpha", {
    dependencies: { "@ipc/core": "workspace:*", ws: "catalog:" },
    devDependencies: { typescript: "^7.0.0" },
  }),
  "packages/alpha/node_modules/ws/package.json": `{ "version": "8.23.1" }`,
  "packages/alpha/tsconfig.json": `{ "extends": "../../tsconfig.base.json", "compilerOptions": { "lib": ["es2023"] }, "include": ["src"] }`,
  "packages/alpha/src/index.ts": `// Of @ipc/alpha: see packages/alpha/src/patterns/push.ts\nexport * from "./patterns/push.ts";\n`,
  "packages/alpha/src/patterns/push.ts": `import { one } from "@ipc/core/framing";\nimport type { two } from '@ipc/core/two';\nexport { one };\n`,
  "packages/alpha/bin/start.ts": `// npx pnpm --filter alpha start:server --port 0\nconst { one } = await import("@ipc/core/framing");\n`,
  "packages/alpha/test/alpha.test.ts": `import "@ipc/core/framing";\nnew Worker(import.meta.resolve("@ipc/core/worker"));\n`,
  "packages/alpha/page.bin": "\0@ipc/",
  "packages/alpha/debug.log": "no part of it\n",
  "packages/alpha/coverage/index.html": "no part of it\n",
  "packages/alpha/README.md": [
    "# alpha: [contributing](../../CONTRIBUTING.md), [beta](../beta/README.md#wire), [push](src/patterns/push.ts)",
    "[framing](../core/src/framing.ts), [unused](../core/src/unused.ts), [to copy](#copy-it), [wire](#on-the-wire)",
    "[the web](https://example.org/a), [![badge](../../badge.svg)](../..), [here][guide], [Guide], [there][rfc], [`src/`](src/), [MIT](../../LICENSE)",
    "[guide]: ../../GUIDE.md",
    "[rfc]: https://example.org/rfc",
    "```",
    "npx pnpm --filter alpha start                  # both",
    "npx pnpm --filter alpha start:server --port 0  # one",
    "pnpm --filter @ipc/alpha start -- --once | cat",
    "npx pnpm --filter alpha test",
    "node packages/alpha/bin/start.ts",
    "```",
    "`npx pnpm --filter alpha start:client tcp://127.0.0.1:1` in `packages/alpha`, not packages/alpha-two/x",
    "## Copy it",
    "`pnpm copy alpha ../alpha`",
    "### More",
    "text",
    "## On the wire",
    "bytes",
    "",
  ].join("\n"),
};

test("a copy has the package, the core files that it uses, and what they need", limit, async (t) => {
  const { files } = await copyAlpha(t);
  assert.deepEqual(files, [
    ".gitignore",
    "LICENSE",
    "README.md",
    "bin/start.ts",
    "package.json",
    "page.bin",
    "pnpm-workspace.yaml",
    "src/core/deep/one.ts",
    "src/core/framing.ts",
    "src/core/two.ts",
    "src/core/worker.ts",
    "src/index.ts",
    "src/patterns/push.ts",
    "test/alpha.test.ts",
    "tsconfig.json",
  ]);
});

test("imports of core become relative in src, bin and test, at any depth", limit, async (t) => {
  const { read } = await copyAlpha(t);
  assert.equal(
    await read("src/patterns/push.ts"),
    `import { one } from "../core/framing.ts";\nimport type { two } from '../core/two.ts';\nexport { one };\n`,
  );
  assert.match(await read("bin/start.ts"), /await import\("\.\.\/src\/core\/framing\.ts"\)/);
  assert.equal(
    await read("test/alpha.test.ts"),
    `import "../src/core/framing.ts";\nnew Worker(import.meta.resolve("../src/core/worker.ts"));\n`,
  );
});

test("core's own relative imports stay, and what its comments name is true in the copy", limit, async (t) => {
  const { read } = await copyAlpha(t);
  assert.equal(await read("src/core/framing.ts"), REPOSITORY["packages/core/src/framing.ts"]);
  assert.match(await read("src/core/two.ts"), /^\/\*\* `import \{ two \} from "\.\/two\.ts"`, of src\/core\. \*\/$/m);
  assert.match(await read("src/index.ts"), /^\/\/ Of alpha: see src\/patterns\/push\.ts$/m);
});

test("package.json has plain ranges and what core's files need", limit, async (t) => {
  const { read } = await copyAlpha(t);
  assert.deepEqual(JSON.parse(await read("package.json")), {
    name: "alpha",
    version: "1.2.3",
    scripts: { test: "node --test" },
    dependencies: { "p-retry": "^7.1.0", ws: "^8.23.1" },
    devDependencies: { "@types/p-retry": "^3.0.0", tsx: "^4.23.0", typescript: "^7.0.0" },
  });
});

test("tsconfig.json is written out, and pnpm is told which build scripts may run", limit, async (t) => {
  const { read } = await copyAlpha(t);
  assert.deepEqual(JSON.parse(await read("tsconfig.json")), {
    compilerOptions: { strict: true, noEmit: true, lib: ["es2023"] },
    include: ["src"],
  });
  const settings = (await read("pnpm-workspace.yaml")).split("\n").filter((line) => !line.startsWith("#"));
  assert.deepEqual(settings, ["allowBuilds:", "  esbuild: false", "  other: true", ""]);
  assert.equal(await read(".gitignore"), "node_modules/\n");
});

test("the README's commands, paths and links are true in the copy", limit, async (t) => {
  const { read } = await copyAlpha(t);
  assert.equal(
    await read("README.md"),
    [
      "# alpha: contributing, beta, [push](src/patterns/push.ts)",
      "[framing](src/core/framing.ts), unused, to copy, [wire](#on-the-wire)",
      "[the web](https://example.org/a), badge, here, Guide, [there][rfc], [`src/`](src/), [MIT](LICENSE)",
      "[rfc]: https://example.org/rfc",
      "```",
      "npm start                  # both",
      "npm run start:server -- --port 0  # one",
      "npm start -- --once | cat",
      "npm test",
      "node bin/start.ts",
      "```",
      "`npm run start:client -- tcp://127.0.0.1:1` in `.`, not packages/alpha-two/x",
      "## On the wire",
      "bytes",
      "",
    ].join("\n"),
  );
});

test("permissions and bytes of other files stay", limit, async (t) => {
  const { read, folder } = await copyAlpha(t);
  assert.equal(await read("page.bin"), "\0@ipc/");
  const fresh = await makeFolder(t, {});
  await mkdir(join(fresh, "made"));
  assert.equal((await stat(folder)).mode, (await stat(join(fresh, "made"))).mode);
});

test("the bin copies to a folder relative to where the user is and says what is next", limit, async (t) => {
  const root = await makeRepository(t, REPOSITORY);
  const from = await makeFolder(t, {});
  await mkdir(join(from, "empty one"));
  const { exit, child } = await runCopy(root, ["alpha", "empty one"], from);
  assert.equal(exit.code, 0);
  assert.deepEqual(child.output, [
    `Copied alpha to ${join(from, "empty one")}: 15 files. Next:`,
    "",
    "  cd 'empty one'",
    "  npm install",
    "  npm start",
    "  npm test",
    "  npx tsc",
  ]);
  assert.equal((await readdir(join(from, "empty one"))).length, 10);
});

const refusals: [name: string, args: string[], line: RegExp][] = [
  ["no name", [], /^Cannot copy without a name and a folder: the names are alpha, beta$/],
  ["an unknown name", ["alfa", "new"], /^Cannot copy 'alfa': the names are alpha, beta$/],
  ["core", ["core", "new"], /^Cannot copy 'core': the names are alpha, beta$/],
  ["lab", ["lab", "new"], /^Cannot copy 'lab': the names are alpha, beta$/],
  ["no folder", ["alpha"], /^Cannot copy alpha: say where to, as in pnpm copy alpha \.\.\/alpha$/],
  ["a folder with something in it", ["alpha", "full"], /full: the folder must be new or empty$/],
  ["a file", ["alpha", "full/file"], /file: the folder must be new or empty$/],
  ["the repository", ["alpha", "repository"], /it is in this repository, choose a folder outside$/],
  ["a folder in it", ["alpha", "repository/new/one"], /it is in this repository, choose a folder outside$/],
  ["a folder in it by ..", ["alpha", "full/../repository/new"], /it is in this repository, choose a folder outside$/],
  ["a folder in it by a link", ["alpha", "link/new/one"], /it is in this repository, choose a folder outside$/],
  ["a folder below a file", ["alpha", "full/file/new"], /the folder must be new or empty$/],
];

for (const [name, args, line] of refusals) {
  test(`the bin refuses ${name} in one line and writes nothing`, limit, async (t) => {
    const root = await makeRepository(t, REPOSITORY);
    const from = join(root, "..");
    await mkdir(join(from, "full"));
    await writeFile(join(from, "full/file"), "");
    await symlink(join(root, "packages"), join(from, "link"));
    const before = await readdir(from, { recursive: true });
    const { exit, child } = await runCopy(root, args, from);
    assert.equal(exit.code, 1);
    assert.deepEqual(child.output, []);
    assert.equal(child.errors.length, 1);
    assert.match(child.errors[0] ?? "", line);
    assert.deepEqual(await readdir(from, { recursive: true }), before);
  });
}

const defects: [name: string, files: Record<string, string>, error: RegExp][] = [
  ["a src/core of its own", { "src/core/own.ts": "" }, /it has a src\/core of its own/],
  [
    "an import of core that is not there",
    { "src/x.ts": `import "@ipc/core/nothing";` },
    /@ipc\/core\/nothing: core has no such file/,
  ],
  [
    "an import that leads out",
    { "src/x.ts": `import "../../beta/x.ts";` },
    /src\/x\.ts would still lead out of the copy/,
  ],
  ["a word that npm does not know", { "x.yaml": "ws: 'catalog:'" }, /x\.yaml would still have catalog: in it/],
  [
    "another package of the workspace",
    { "package.json": manifest("alpha", { dependencies: { "@ipc/beta": "workspace:*" } }) },
    /depends on @ipc\/beta/,
  ],
];

for (const [name, files, error] of defects) {
  test(`a package with ${name} is not copied`, limit, async (t) => {
    const more = Object.entries(files).map(([path, text]) => [posix.join("packages/alpha", path), text]);
    const root = await makeRepository(t, { ...REPOSITORY, ...Object.fromEntries(more) });
    await assert.rejects(copyExample({ name: "alpha", folder: "../new", root, from: root }), error);
    assert.deepEqual(await readdir(join(root, "..")), ["repository"]);
  });
}

/** Sends a signal to its own process with the tenth file that is written. */
const INTERRUPT = `
  import promises from "node:fs/promises";
  import { syncBuiltinESMExports } from "node:module";
  const { writeFile } = promises;
  let count = 0;
  promises.writeFile = (...args) => {
    if (++count === 10) process.kill(process.pid, process.env.TEST_SIGNAL);
    return writeFile(...args);
  };
  syncBuiltinESMExports();`;

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`${signal} in the middle leaves nothing behind`, limit, async (t) => {
    const many = Array.from({ length: 500 }, (_, index) => [`packages/alpha/src/many/${index}.ts`, "export {};\n"]);
    const root = await makeRepository(t, {
      ...REPOSITORY,
      ...Object.fromEntries(many),
      "hook.mjs": INTERRUPT,
    });
    const from = await makeFolder(t, {});
    const env = { NODE_OPTIONS: `--import=${join(root, "hook.mjs")}`, TEST_SIGNAL: signal };
    const { exit, child } = await runCopy(root, ["alpha", "not/there/yet"], from, env);
    assert.equal(exit.code, 1);
    assert.deepEqual(child.errors, ["Interrupted: nothing was written"]);
    assert.deepEqual(await readdir(from), []);
  });
}

async function copyAlpha(t: TestContext) {
  const root = await makeRepository(t, REPOSITORY);
  const folder = join(await makeFolder(t, {}), "copy");
  const { files } = await copyExample({ name: "alpha", folder, root });
  const there = await readdir(folder, { recursive: true, withFileTypes: true });
  assert.equal(there.filter((entry) => entry.isFile()).length, files.length);
  return { files, folder, read: (path: string) => readFile(join(folder, path), "utf8") };
}

async function runCopy(root: string, args: string[], from: string, env: Record<string, string> = {}) {
  const child = startProgram(bin, [...args, "--root", root], { env: { ...env, INIT_CWD: from } });
  return { exit: await child.exited, child };
}

/** A repository beside which there is nothing else. */
async function makeRepository(t: TestContext, files: Record<string, string>): Promise<string> {
  const below = Object.entries(files).map(([path, text]) => [`repository/${path}`, text]);
  return join(await makeFolder(t, Object.fromEntries(below)), "repository");
}
