import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { readPage } from "@ipc/core/page-files";

test("a page: its files by path, with their types, and nothing from elsewhere", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "page-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of ["index.html", "page.js", "page.css", "font.bin"]) await writeFile(join(folder, name), name);
  const page = await readPage(pathToFileURL(`${folder}/`));

  assert.deepEqual([...page.keys()].sort(), ["/", "/font.bin", "/page.css", "/page.js"]);
  assert.equal(page.get("/")?.body.toString(), "index.html");
  const types = ["/", "/page.js", "/page.css", "/font.bin"].map((path) => page.get(path)?.headers["content-type"]);
  assert.deepEqual(types, [
    "text/html; charset=utf-8",
    "text/javascript; charset=utf-8",
    "text/css; charset=utf-8",
    "application/octet-stream",
  ]);
  const policy = page.get("/page.js")?.headers["content-security-policy"] ?? "";
  assert.match(policy, /default-src 'none'.*frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|https?:/);
});

test("a folder that is not there rejects", async () => {
  await assert.rejects(readPage(new URL("no-such-page/", import.meta.url)), { code: "ENOENT" });
});
