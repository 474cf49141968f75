import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { connect } from "node:net";
import { delimiter, dirname, join } from "node:path";
import test, { type TestContext } from "node:test";
import { startCommand } from "../src/readme/commands.ts";
import { parseConsole } from "../src/readme/console-block.ts";
import { findBlocks, findExampleBlocks } from "../src/readme/markdown-blocks.ts";
import { collectChecks } from "../src/readme/readme-check.ts";
import { maskLine, matchesTranscript } from "../src/readme/transcript.ts";
import { makeFolder, manifest } from "./fixture.ts";

const timeout = 60_000;

/** Runs all checks of a small repository; gives the message of each that does not hold, by name. */
async function check(t: TestContext, files: Record<string, string>) {
  const root = await makeFolder(t, { "packages/a-way/package.json": manifest("a-way"), ...files });
  const { checks, close } = await collectChecks(root);
  t.after(close);
  const failures: Record<string, string> = {};
  for (const { name, skip, run } of checks) {
    if (skip === undefined) await run().catch((error: Error) => Object.assign(failures, { [name]: error.message }));
  }
  return { names: checks.map(({ name }) => name), failures, checks, root };
}

function fence(info: string, ...lines: string[]): string {
  return `\n\`\`\`${info}\n${lines.join("\n")}\n\`\`\`\n`;
}

test("findBlocks() gives words, section and the output that follows directly", () => {
  const blocks = findBlocks(
    `# A\n${fence("ts no-run", "one")}\n${fence("text", "seen")}\n## B\n- in a list\n\n  \`\`\`console\n  $ two\n  \`\`\`\n\nwords\n${fence("text", "not seen")}`,
  );
  assert.deepEqual(blocks, [
    { language: "ts", words: ["no-run"], text: "one", output: "seen", section: 1 },
    { language: "console", words: [], text: "$ two", section: 2 },
  ]);
});

test("findExampleBlocks() reads doc comments only, and their examples only", () => {
  const source = [
    'const glob = "src/**/*.ts";',
    "/**",
    " * ```ts",
    " * prose",
    " * ```",
    " * @param x Not this.",
    " * @example Title",
    " * ```ts",
    " * if (x) {",
    " *   y();",
    " * }",
    " * ```",
    " * ```text",
    " * 1",
    " * ```",
    " * @throws never",
    " */",
  ].join("\n");
  assert.deepEqual(findExampleBlocks(source), [
    { language: "ts", words: [], text: "if (x) {\n  y();\n}", output: "1", section: 0 },
  ]);
});

test("parseConsole() parts commands from what they print", () => {
  const text = [
    "$ one --x # a comment\nfirst\n\nsecond\n",
    "$ two \\\n  --more",
    "$ echo '# no comment'",
    "$ cat <<'EOF'\n$ three\nEOF\n$ three",
  ].join("\n");
  assert.deepEqual(parseConsole(text), [
    { text: "one --x", expected: ["first", "", "second"] },
    { text: "two \\\n  --more", expected: [] },
    { text: "echo '# no comment'", expected: [] },
    { text: "cat <<'EOF'\n$ three\nEOF", expected: [] },
    { text: "three", expected: [] },
  ]);
  assert.throws(() => parseConsole("npm start"), /starts with 'npm start'/);
});

test("maskLine() hides what differs from run to run, and nothing else", () => {
  const same: [string, string][] = [
    ["on tcp://127.0.0.1:65432", "on tcp://127.0.0.1:4"],
    ["on http://localhost:80/x", "on http://localhost:3000/x"],
    ["took 3 ms", "took 1.25 s"],
    ["pid 12 ended", "pid 99999 ended"],
    ["at 12:00:01", "at 23:59:59.123"],
    ["1,200,000 messages/s", "3.4 M messages/s"],
  ];
  for (const [one, other] of same) assert.equal(maskLine(one), maskLine(other));
  for (const line of ["3 servers", "limit is 1024", "1 MiB", "5 messages"]) assert.equal(maskLine(line), line);
  assert.notEqual(maskLine("on tcp://127.0.0.1:1"), maskLine("on udp://127.0.0.1:1"));
});

test("matchesTranscript() takes … for any lines, and keeps the order of each speaker", () => {
  assert.ok(matchesTranscript(["a", "…", "d"], ["a", "b", "c", "d"]));
  assert.ok(matchesTranscript(["a", "  …", "d"], ["a", "d"]));
  assert.ok(!matchesTranscript(["a", "…", "d"], ["a", "b", "c"]));
  assert.ok(!matchesTranscript(["a"], ["a", "b"]));
  assert.ok(!matchesTranscript(["a", "b"], ["a"]));
  assert.ok(!matchesTranscript(["a", "b"], ["b", "a"]));
  assert.ok(matchesTranscript(["server │ 1", "client │ 2", "server │ 3"], ["server │ 1", "server │ 3", "client │ 2"]));
  assert.ok(!matchesTranscript(["server │ 1", "client │ 2", "server │ 3"], ["server │ 3", "server │ 1", "client │ 2"]));
});

test("commands that print what the README says hold, others do not", { timeout }, async (t) => {
  const { names, failures, root } = await check(t, {
    "README.md": [
      fence("console", "$ pwd | sed 's/.*ipc-lab.*/root/'", "root"),
      fence("console", "$ echo took 3 ms; echo problem >&2", "took 20 ms", "problem"),
      fence("console", "$ true", "$ echo anything at all"),
      fence("console", "$ echo one; exit 3"),
      fence("console exit-3", "$ echo one; exit 3", "one"),
      fence("console", "$ echo other", "words"),
      fence("console no-run", "$ exit 1"),
      fence("console limit=1", "$ sleep 1000"),
    ].join("\n"),
  });
  assert.equal(names[0], "README.md: $ pwd | sed 's/.*ipc-lab.*/root/'");
  assert.equal(names.length, 7);
  assert.deepEqual(Object.keys(failures), [
    "README.md: $ echo one; exit 3",
    "README.md: $ echo other",
    "README.md: $ sleep 1000",
  ]);
  assert.match(failures["README.md: $ echo one; exit 3"] ?? "", /exit code 3/);
  assert.match(failures["README.md: $ echo other"] ?? "", /The README says:\n {2}words\nIt printed:\n {2}other/);
  assert.match(failures["README.md: $ sleep 1000"] ?? "", /did not end within 1 s/);
  assert.deepEqual((await readdir(root)).sort(), ["README.md", "packages"]);
});

test("a command `pnpm …` works whether or not there is one on the PATH", { timeout }, async (t) => {
  const root = await makeFolder(t, {});
  const paths = [process.env["PATH"] ?? "", [dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter)];
  for (const path of paths) {
    setVariable(t, "PATH", path);
    const running = startCommand("pnpm --version", root);
    t.after(() => running.stop());
    assert.equal(await running.exited, 0);
    assert.match(running.lines().at(-1) ?? "", /^\d+\.\d+\.\d+$/);
  }
});

/** Sets a variable of this process until the test ends. */
function setVariable(t: TestContext, name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  t.after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

/** A server and its client; `scripts` as pnpm would run them, without the time that pnpm takes. */
const pair = {
  "start:server": [
    'import { createServer } from "node:net";',
    "const port = Number(process.argv[process.argv.indexOf('--port') + 1] || 65432);",
    "const server = createServer((socket) => {",
    "  console.log('connected');",
    "  socket.end('hello');",
    "});",
    "server.listen(port, '127.0.0.1', () => {",
    "  console.log('a-way listening on tcp://127.0.0.1:' + server.address().port);",
    "});",
  ].join("\n"),
  "start:client": [
    'import { connect } from "node:net";',
    "const { port, hostname } = new URL(process.argv[2]);",
    "connect(Number(port), hostname).on('data', (data) => console.log(String(data)));",
  ].join("\n"),
};
const byHand =
  "$ node -e \"require('net').connect(+process.argv[1]).on('data', (d) => console.log('' + d))\" 65432 # by hand";

test("two terminals: the server gets a free port, and the commands after it the real one", {
  timeout,
}, async (t) => {
  const readme = (connections: number) =>
    [
      "# Title",
      fence(
        "console terminal-1",
        "$ node start:server",
        "a-way listening on tcp://127.0.0.1:65432",
        ...Array.from({ length: connections }, () => "connected"),
      ),
      fence("console terminal-2", "$ node start:client", "hello"),
      fence("console terminal-2", "$ node start:client tcp://127.0.0.1:65432", "hello"),
      fence("console terminal-3", byHand, "hello"),
      "## Another",
      fence("console", "$ echo after"),
    ].join("\n");
  const right = await check(t, { ...pair, "README.md": readme(3) });
  assert.deepEqual(right.failures, {});
  assert.equal(right.names.at(-2), "README.md: $ node start:server (what it printed by the end)");
  assert.equal(right.names.length, 6);

  const brief = await check(t, { ...pair, "README.md": readme(0) });
  assert.deepEqual(brief.failures, {}, "what clients make it print may be left out");

  const wrong = await check(t, { ...pair, "README.md": readme(4) });
  assert.deepEqual(Object.keys(wrong.failures), ["README.md: $ node start:server (what it printed by the end)"]);
});

test("two terminals: a server that does not start fails its clients at once", { timeout }, async (t) => {
  const { failures } = await check(t, {
    "README.md": [
      fence("console terminal-1", "$ echo oh no; exit 1"),
      fence("console terminal-2", "$ sleep 1000"),
    ].join("\n"),
  });
  assert.match(failures["README.md: $ echo oh no; exit 1"] ?? "", /did not say where it listens/);
  assert.match(failures["README.md: $ sleep 1000"] ?? "", /no block `terminal-1` before it/);
});

test("stop() ends a command with all that it started", { timeout }, async (t) => {
  const root = await makeFolder(t, pair);
  const running = startCommand("node start:server --port 0 & echo started; wait", root);
  t.after(() => running.stop());
  assert.ok(await running.waitFor((lines) => lines.some((line) => line.includes("listening")), 10_000));
  const url = new URL(running.lines().at(-1)?.split(" ").at(-1) ?? "");
  await running.stop();
  const refused = await new Promise((resolve) => {
    connect(Number(url.port), url.hostname)
      .on("error", resolve)
      .on("connect", () => resolve(undefined));
  });
  assert.equal((refused as NodeJS.ErrnoException).code, "ECONNREFUSED");
});

test("a block that needs a missing program is skipped with that reason", { timeout }, async (t) => {
  const { checks } = await check(t, {
    "packages/b-way/package.json": manifest("b-way", {
      ipc: { needs: { "ipc-nothing": { apt: "ipc-package" } } },
    }),
    "README.md": fence("console needs=ipc-nothing", "$ exit 1") + fence("console needs=bash", "$ true"),
  });
  assert.deepEqual(
    checks.map(({ skip }) => skip),
    ["needs ipc-nothing: apt-get install ipc-package", undefined],
  );
});

test("snippets are type-checked, run in the folder of their package, and print what is said", {
  timeout,
}, async (t) => {
  const name = "packages/a-way/README.md: ts block";
  const { failures } = await check(t, {
    "packages/a-way/src/index.ts": 'export const word: string = "hello";\n',
    "packages/a-way/README.md": [
      fence("ts", 'import { word } from "./src/index.ts";', "console.log(word, process.cwd().split('/').at(-1));"),
      fence("text", "hello a-way"),
      fence("ts", 'import { word } from "@ipc/a-way/src/index.ts";', "console.log(word);"),
      fence("text", "goodbye"),
      fence("ts", "const number: number = 'text';", "console.log(number);"),
      fence("ts no-run", "throw new Error('never runs');"),
      fence("ts no-run", 'import { wurd } from "./src/index.ts";', "wurd();"),
      fence("ts", "throw new RangeError('runs');"),
    ].join("\n"),
  });
  assert.deepEqual(
    Object.keys(failures),
    [2, 3, 5, 6].map((number) => `${name} ${number}`),
  );
  assert.match(failures[`${name} 2`] ?? "", /prints something else.*goodbye.*hello/s);
  assert.match(failures[`${name} 3`] ?? "", /TS2322/);
  assert.match(failures[`${name} 5`] ?? "", /TS2305|TS2724/);
  assert.match(failures[`${name} 6`] ?? "", /exit code 1.*RangeError: runs/s);
});

test("snippets of doc comments find their package as the programs in bin/ do", { timeout }, async (t) => {
  const example = (...lines: string[]) => ["/**", " * @example", ...lines.map((line) => ` * ${line}`), " */"];
  const { names, failures, root } = await check(t, {
    "packages/a-way/src/patterns/index.ts": [
      ...example(
        "```ts",
        'import { word } from "../src/patterns/index.ts";',
        "console.log(word);",
        "```",
        "```text",
        "hello",
        "```",
      ),
      'export const word: string = "hello";',
      ...example("```ts no-run", 'import { nothing } from "../src/none.ts";', "nothing();", "```"),
    ].join("\n"),
  });
  assert.deepEqual(
    names,
    [1, 2].map((number) => `packages/a-way/src/patterns/index.ts: ts block ${number}`),
  );
  assert.match(failures["packages/a-way/src/patterns/index.ts: ts block 2"] ?? "", /TS2307/);
  assert.equal(Object.keys(failures).length, 1);
  assert.deepEqual((await readdir(`${root}/packages/a-way`)).sort(), ["package.json", "src"]);
});

test("close() removes all that was written", { timeout }, async (t) => {
  const root = await makeFolder(t, {
    "packages/a-way/package.json": manifest("a-way"),
    "packages/a-way/README.md": fence("ts no-run", "export {};"),
    "temporary/keep": "",
  });
  // Other test files use the real one at the same time.
  setVariable(t, "TMPDIR", join(root, "temporary"));
  const { close } = await collectChecks(root);
  assert.equal((await readdir(join(root, "temporary"))).length, 2);
  await close();
  assert.deepEqual(await readdir(join(root, "temporary")), ["keep"]);
});
