/** Small repositories in temporary folders, to try the lab's own programs on. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

/**
 * Writes files to a temporary folder that is removed after the test.
 *
 * @param files Contents by path.
 * @returns The folder.
 */
export async function makeFolder(t: TestContext, files: Record<string, string>): Promise<string> {
  // Without links in its path (macOS: /tmp): paths are compared.
  const root = await realpath(await mkdtemp(join(tmpdir(), "ipc-lab-")));
  t.after(() => rm(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return root;
}

/** The package.json of an example. */
export function manifest(name: string, more: object = {}): string {
  return JSON.stringify({ name: `@ipc/${name}`, type: "module", ...more });
}

/** A test file, from the bodies of its tests by name. */
export function testFile(tests: Record<string, string>): string {
  const lines = Object.entries(tests).map(
    ([name, body]) => `test(${JSON.stringify(name)}, { timeout: 10_000 }, (t) => { ${body} });`,
  );
  return ['import test from "node:test";', ...lines].join("\n");
}
