/**
 * Finds the files of core that a package uses, and makes its imports of them relative.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";

/** Where the files of core go in a copy. */
export const CORE_FOLDER = "src/core";

/** `"@ipc/core/framing"`, wherever it stands: an import, `import.meta.resolve`, an example in a comment. */
const CORE_SPECIFIER = /(["'])@ipc\/core\/([\w/-]+)\1/g;

/** A module that is named in an import, an export, `import()`, `import.meta.resolve()` or `new URL()`. */
const SPECIFIER = /(?:\bfrom|\bimport|\bresolve\(|\bURL\(|\bimport\()\s*(["'])([^"'\n]+)\1/g;

/**
 * Reads the files of core that `texts` name, and those that these name in turn.
 *
 * @param core The folder of core.
 * @returns Their text by their path in a copy: `src/core/framing.ts`.
 * @throws When a text names a file that is not there.
 */
export async function collectCore(core: string, texts: Iterable<string>): Promise<Map<string, string>> {
  const sources = join(core, "src");
  const known = new Set((await readdir(sources, { recursive: true })).map((path) => path.replaceAll("\\", "/")));
  const wanted = new Set<string>();
  for (const text of texts) for (const path of namedInPackage(text)) wanted.add(path);
  const found = new Map<string, string>();
  // The set grows while it is walked.
  for (const path of wanted) {
    if (!known.has(path)) {
      throw new Error(`Cannot copy @ipc/core/${path.replace(/\.ts$/, "")}: core has no such file`);
    }
    const text = await readFile(join(sources, path), "utf8");
    found.set(posix.join(CORE_FOLDER, path), text);
    for (const used of namedInCore(text, path)) if (known.has(used)) wanted.add(used);
  }
  return found;
}

function namedInPackage(text: string): string[] {
  return [...text.matchAll(CORE_SPECIFIER)].map(([, , name]) => `${name}.ts`);
}

function namedInCore(text: string, path: string): string[] {
  return listSpecifiers(text)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => posix.join(dirname(path), specifier));
}

/** Every module that a program names, once. */
export function listSpecifiers(text: string): string[] {
  return [...new Set([...text.matchAll(SPECIFIER)].map(([, , specifier]) => specifier ?? ""))];
}

/** Every package that a program names: `ws`, `@fastify/cors`. */
export function listPackageNames(text: string): string[] {
  const names = listSpecifiers(text).flatMap((specifier) => PACKAGE_NAME.exec(specifier)?.[0] ?? []);
  return [...new Set(names)];
}

const PACKAGE_NAME = /^(?!node:)(?:@[\w.-]+\/)?\w[\w.-]*/;

/**
 * Makes imports of `@ipc/core/…` relative.
 *
 * @param path Where the text stands in the copy: `src/patterns/push.ts`.
 */
export function relateCore(text: string, path: string): string {
  return text.replace(CORE_SPECIFIER, (_, quote: string, name: string) => {
    const way = posix.relative(posix.dirname(path), `${CORE_FOLDER}/${name}.ts`);
    return `${quote}${way.startsWith(".") ? way : `./${way}`}${quote}`;
  });
}
