import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { behaviourRows, maskDigits } from "../src/behaviour/behaviour-table.ts";
import { refreshTables } from "../src/behaviour/refresh-tables.ts";
import { runTests } from "../src/tests/test-run.ts";
import { makeFolder, manifest, testFile } from "./fixture.ts";

const timeout = 60_000;
const markers = "# Title\n\n<!-- behaviour:begin -->\n<!-- behaviour:end -->\n\nThe end.\n";

/** Test bodies for all rows, with some replaced. */
function rows(replaced: Record<string, string> = {}): Record<string, string> {
  const usual = Object.fromEntries(behaviourRows.map((row) => [row, `t.diagnostic("seen: ${row}");`]));
  return { ...usual, ...replaced };
}

function makeRepository(t: TestContext, examples: Record<string, Record<string, string>>) {
  const files: Record<string, string> = {
    "README.md": markers,
    "packages/core/package.json": manifest("core"),
    "packages/core/test/a.test.ts": testFile({ good: "" }),
  };
  for (const [name, tests] of Object.entries(examples)) {
    files[`packages/${name}/package.json`] = manifest(name);
    files[`packages/${name}/README.md`] = markers;
    files[`packages/${name}/test/behaviour.test.ts`] = testFile(tests);
  }
  return makeFolder(t, files);
}

async function assertNoneFails(root: string, names: string[] = []) {
  const { summary, text } = await testAgain(root, names);
  assert.equal(summary.failed, 0, text);
}

async function testAgain(root: string, names: string[] = []) {
  const lines: string[] = [];
  const summary = await runTests(names, { root, requiresAll: false, print: (line) => lines.push(line) });
  return { summary, text: lines.join("\n") };
}

const quiet = () => {};

test("maskDigits() makes one # of each figure", () => {
  assert.equal(maskDigits("after 12.5 ms, 20,000 messages of 1024 B"), "after # ms, # messages of # B");
  assert.notEqual(maskDigits("closed after 3 ms"), maskDigits("refused after 3 ms"));
});

test("refreshTables() writes a table into each README and the one of all into the root's", {
  timeout,
}, async (t) => {
  const root = await makeRepository(t, {
    "b-way": rows({ "the reader is slow": "t.skip('a datagram has no connection');" }),
    "a-way": rows({
      "a message is too large": "t.diagnostic('refused at 1 MiB'); t.diagnostic('a | b <c>');",
    }),
  });
  const changed = await refreshTables(root, quiet);
  assert.deepEqual(changed, ["packages/a-way/README.md", "packages/b-way/README.md", "README.md"]);

  const own = await readFile(join(root, "packages/a-way/README.md"), "utf8");
  assert.match(own, /^# Title\n\n<!-- behaviour:begin -->\n\n\| what happens when \| what was seen \|\n\| - \| - \|\n/);
  assert.match(own, /^\| a message is too large \| refused at 1 MiB; a \\\| b \\<c> \|$/m);
  assert.match(
    own,
    /^\| two clients at once \| seen: two clients at once \|\n\n<!-- behaviour:end -->\n\nThe end\.\n$/m,
  );

  const all = await readFile(join(root, "README.md"), "utf8");
  assert.match(all, /^\| what happens when \| \[a-way\]\(packages\/a-way\) \| \[b-way\]\(packages\/b-way\) \|$/m);
  assert.match(
    all,
    /^\| the reader is slow \| seen: the reader is slow \| cannot apply: a datagram has no connection \|$/m,
  );
  assert.deepEqual(await refreshTables(root, quiet), [], "what is written is what is read");
  await assertNoneFails(root);
});

test("pnpm test accepts other figures and names a row with other words", { timeout }, async (t) => {
  const row = "the peer is killed";
  const root = await makeRepository(t, { "a-way": rows({ [row]: "t.diagnostic('noticed in 12 ms');" }) });
  await refreshTables(root, quiet);
  const file = join(root, "packages/a-way/test/behaviour.test.ts");

  await writeFile(file, testFile(rows({ [row]: "t.diagnostic('noticed in 9.5 ms');" })));
  await assertNoneFails(root);

  await writeFile(file, testFile(rows({ [row]: "t.diagnostic('never noticed in 9.5 ms');" })));
  const { summary, text } = await testAgain(root);
  assert.deepEqual(summary, { passed: 12, failed: 1, skipped: 0 });
  const sentence = '"the peer is killed": the table says "noticed in 12 ms", the test saw "never noticed in 9.5 ms"';
  assert.ok(text.includes(`packages/a-way/README.md: ${sentence}`), text);
  assert.ok(text.includes(`    README.md: ${sentence}`), text);
  assert.match(text, /mends the tables: pnpm table/);
});

test("pnpm test says in one line that a table is not there yet", { timeout }, async (t) => {
  const { summary, text } = await testAgain(await makeRepository(t, { "a-way": rows() }));
  assert.equal(summary.failed, 1);
  assert.match(
    text,
    /^ {4}packages\/a-way\/README\.md: there is no table yet\n {4}README\.md: there is no table yet\n {2}If/m,
  );
});

test("pnpm test finds a column that is missing in the root's table", { timeout }, async (t) => {
  const root = await makeRepository(t, { "a-way": rows() });
  await refreshTables(root, quiet);
  const readme = join(root, "README.md");
  const text = await readFile(readme, "utf8");
  await writeFile(readme, text.replaceAll("a-way", "old-way"));
  assert.equal((await testAgain(root)).summary.failed, 1);
});

test("a marker with names takes those columns; one that no table names, or that is no example, is a failure", {
  timeout,
}, async (t) => {
  const root = await makeRepository(t, { "a-way": rows(), "b-way": rows(), "c-way": rows() });
  const readme = join(root, "README.md");
  const write = (...groups: string[]) =>
    writeFile(
      readme,
      groups.map((names) => `<!-- behaviour:begin ${names} -->\n<!-- behaviour:end -->\n`).join("text\n"),
    );
  await write("c-way a-way", "b-way");
  await refreshTables(root, quiet);
  const columns = (await readFile(readme, "utf8")).match(/^\| what happens when .*|^text$/gm);
  assert.deepEqual(columns, [
    "| what happens when | [c-way](packages/c-way) | [a-way](packages/a-way) |",
    "text",
    "| what happens when | [b-way](packages/b-way) |",
  ]);
  assert.deepEqual(await refreshTables(root, quiet), []);
  await assertNoneFails(root);

  await write("a-way", "b-way");
  await assert.rejects(refreshTables(root, quiet), /Cannot place the table of c-way in README\.md/);
  assert.equal((await testAgain(root)).summary.failed, 1);
  await write("a-way b-way", "c-way d-way");
  await assert.rejects(refreshTables(root, quiet), /Cannot place the table of d-way in README\.md/);
});

test("pnpm test of one package compares that one's column only", { timeout }, async (t) => {
  const root = await makeRepository(t, { "a-way": rows(), "b-way": rows() });
  await refreshTables(root, quiet);
  await writeFile(join(root, "packages/b-way/README.md"), "no markers");
  await assertNoneFails(root, ["a-way"]);
  await assertNoneFails(root, ["core"]);
  const { summary, text } = await testAgain(root, ["b-way"]);
  assert.equal(summary.failed, 1);
  assert.match(text, /Cannot find the place for the table in packages\/b-way\/README\.md: it needs a line <!-- /);
});

test("a row that needs a missing program keeps the words it had", { timeout }, async (t) => {
  const row = "the server restarts";
  const root = await makeRepository(t, { "a-way": rows() });
  await refreshTables(root, quiet);
  const unmet = testFile(rows({ [row]: "t.skip('needs redis-server: apt-get install redis-server');" }));
  await writeFile(join(root, "packages/a-way/test/behaviour.test.ts"), unmet);
  assert.deepEqual(await refreshTables(root, quiet), []);
  await assertNoneFails(root);
});

const wrong: Record<string, [Record<string, string>, RegExp]> = {
  "a name that is no row": [{ ...rows(), "something else": "t.diagnostic('x');" }, /"something else" is no row/],
  "a row that is missing": [
    Object.fromEntries(Object.entries(rows()).slice(1)),
    /"messages are cut or glued on the way" has no test/,
  ],
  "a row that says nothing": [rows({ "a message is malformed": "" }), /"a message is malformed" does not say/],
  "a row that fails": [rows({ "the port is taken": "throw new Error('oh');" }), /"the port is taken" failed.*oh/s],
};
for (const [what, [tests, says]] of Object.entries(wrong)) {
  test(`refreshTables() writes nothing and says why for ${what}`, { timeout }, async (t) => {
    const root = await makeRepository(t, { "a-way": tests });
    const lines: string[] = [];
    await assert.rejects(
      refreshTables(root, (line) => lines.push(line)),
      /^Error: Cannot write the tables/,
    );
    assert.match(lines.join("\n"), says);
    assert.equal(await readFile(join(root, "README.md"), "utf8"), markers);
    assert.ok((await testAgain(root)).summary.failed > 0);
  });
}

test("refreshTables() says which README has no place for the table", { timeout }, async (t) => {
  const root = await makeRepository(t, { "a-way": rows() });
  await writeFile(join(root, "packages/a-way/README.md"), "# Title\n");
  await assert.rejects(refreshTables(root, quiet), /place for the table in packages\/a-way\/README\.md/);
});
