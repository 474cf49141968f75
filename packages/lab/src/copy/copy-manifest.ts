/**
 * Writes the configuration of a copy: package.json, tsconfig.json and what pnpm wants.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Example, type Manifest, parseManifest } from "../examples.ts";
import { listPackageNames } from "./core-imports.ts";

/**
 * The package.json of a copy: its own name without a scope, no `@ipc/core`, and what the files of core need.
 *
 * @param core The text of the files of core that it has.
 */
export async function copyManifest(example: Example, root: string, core: Iterable<string>): Promise<string> {
  const path = join(example.folder, "package.json");
  const own: Record<string, unknown> = { ...parseJson(await readFile(path, "utf8"), path) };
  const corePath = join(root, "packages/core/package.json");
  const coreManifest = parseManifest(await readFile(corePath, "utf8"), corePath);
  const { dependencies, devDependencies } = await addNeedsOfCore(example, coreManifest, core);
  own["name"] = example.name;
  // What our test command brings; nothing reads it in a copy.
  delete own["ipc"];
  for (const [key, ranges] of Object.entries({ dependencies, devDependencies })) {
    if (Object.keys(ranges).length > 0) own[key] = ranges;
    else delete own[key];
  }
  return `${JSON.stringify(own, undefined, 2)}\n`;
}

async function addNeedsOfCore({ folder, manifest }: Example, core: Manifest, texts: Iterable<string>) {
  const dependencies = await plainRanges(manifest.dependencies, folder);
  const devDependencies = await plainRanges(manifest.devDependencies, folder);
  for (const name of new Set([...texts].flatMap(listPackageNames))) {
    const range = core.dependencies[name];
    if (range !== undefined && dependencies[name] === undefined) {
      dependencies[name] = devDependencies[name] ?? range;
      delete devDependencies[name];
    }
    for (const wanted of [name, `@types/${name}`]) {
      const devRange = core.devDependencies[wanted];
      if (devRange !== undefined && dependencies[wanted] === undefined) devDependencies[wanted] ??= devRange;
    }
  }
  return { dependencies: sortKeys(dependencies), devDependencies: sortKeys(devDependencies) };
}

/** Ranges that npm understands as well: those of the workspace go, those of a catalog become what is installed. */
async function plainRanges(ranges: Record<string, string>, folder: string): Promise<Record<string, string>> {
  const plain: Record<string, string> = {};
  for (const [name, range] of Object.entries(ranges)) {
    if (name === "@ipc/core") continue;
    if (range.startsWith("workspace:")) {
      throw new Error(`Cannot copy what depends on ${name}: an example stands on core alone`);
    }
    plain[name] = range.startsWith("catalog:") ? `^${await readVersion(name, folder)}` : range;
  }
  return plain;
}

async function readVersion(name: string, folder: string): Promise<unknown> {
  const path = join(folder, "node_modules", name, "package.json");
  return parseJson(await readFile(path, "utf8"), path)["version"];
}

function sortKeys(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The tsconfig.json of a copy, with all that it had by `extends` written out. */
export async function copyTsconfig(example: Example, root: string): Promise<string> {
  const [basePath, ownPath] = [join(root, "tsconfig.base.json"), join(example.folder, "tsconfig.json")];
  const base = parseJson(await readFile(basePath, "utf8"), basePath);
  const { extends: _, ...own } = parseJson(await readFile(ownPath, "utf8"), ownPath);
  const compilerOptions = { ...Object(base["compilerOptions"]), ...Object(own["compilerOptions"]) };
  return `${JSON.stringify({ ...base, ...own, compilerOptions }, undefined, 2)}\n`;
}

/**
 * The pnpm-workspace.yaml of a copy: which build scripts may run, as the root says. pnpm fails an install over one that
 * is not listed.
 */
export async function copyPnpmSettings(root: string): Promise<string> {
  const text = await readFile(join(root, "pnpm-workspace.yaml"), "utf8");
  const [block] = /^allowBuilds:\n(?:[ \t]+.*\n?)+/m.exec(text) ?? [];
  return `# For pnpm alone: it fails an install over a build script that is not listed.\n${block ?? "allowBuilds: {}\n"}`;
}

function parseJson(text: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return Object(value);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${path}: it is no JSON`, { cause });
  }
}
