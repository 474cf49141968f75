/**
 * Finds the examples: every package that is neither core nor lab.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds the whole repository. */
export const repositoryRoot: string = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");

/** One example, one way of talking. */
export interface Example {
  /** What it is called on the command line, which is the name of its folder: `tcp-echo`. */
  name: string;
  /** Absolute path of its folder. */
  folder: string;
  /** One sentence, from its package.json. */
  description: string;
  /** Absolute path of its README. */
  readme: string;
  /** What is of interest in its package.json. */
  manifest: Manifest;
}

/** The parts of a package.json that the lab reads. */
export interface Manifest {
  /** With its scope: `@ipc/tcp-echo`. */
  name: string;
  description: string;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  /** Programs its tests cannot do without, by the name of the binary. */
  needs: Record<string, Need>;
}

/** What brings a missing program: the name of its package, for each package manager. */
export interface Need {
  apt?: string;
  brew?: string;
  /** It is no program but this module of Python's. */
  python?: string;
}

/**
 * Lists the examples, sorted by name.
 *
 * @param root The folder that has `packages/` in it.
 * @throws When a package.json is not of the expected shape; the message names the file.
 *
 * @example
 * ```ts no-run
 * import { listExamples } from "../src/examples.ts";
 *
 * for (const { name, description } of await listExamples()) console.log(`${name}: ${description}`);
 * ```
 */
export async function listExamples(root: string = repositoryRoot): Promise<Example[]> {
  const packages = await listPackages(root);
  return packages.filter(({ name }) => name !== "core" && name !== "lab");
}

/** Lists all packages, core and lab included, sorted by name. */
export async function listPackages(root: string = repositoryRoot): Promise<Example[]> {
  const folders = (await readdir(join(root, "packages"), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const found = await Promise.all(folders.map((name) => readPackage(root, name)));
  return found.filter((one) => one !== undefined);
}

async function readPackage(root: string, name: string): Promise<Example | undefined> {
  const folder = join(root, "packages", name);
  const path = join(folder, "package.json");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    // A folder without one is no package: what git leaves of a removed one, say.
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const manifest = parseManifest(text, path);
  return { name, folder, description: manifest.description, readme: join(folder, "README.md"), manifest };
}

/**
 * Reads a package.json.
 *
 * @param path Named in the error.
 * @throws {SyntaxError} When it is no JSON.
 * @throws {TypeError} When a field has another type than it should.
 */
export function parseManifest(text: string, path: string): Manifest {
  const manifest = asObject(parseJson(text, path), path);
  const ipc = asObject(manifest["ipc"] ?? {}, `ipc in ${path}`);
  const needs = asObject(ipc["needs"] ?? {}, `ipc.needs in ${path}`);
  return {
    name: asString(manifest["name"], `name in ${path}`),
    description: asString(manifest["description"] ?? "", `description in ${path}`),
    scripts: asStrings(manifest["scripts"] ?? {}, `scripts in ${path}`),
    dependencies: asStrings(manifest["dependencies"] ?? {}, `dependencies in ${path}`),
    devDependencies: asStrings(manifest["devDependencies"] ?? {}, `devDependencies in ${path}`),
    needs: Object.fromEntries(
      Object.entries(needs).map(([binary, need]) => [
        binary,
        asStrings(need, `ipc.needs.${binary} in ${path}`) satisfies Need,
      ]),
    ),
  };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${path}: it is no JSON`, { cause });
  }
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`Cannot read ${what}: expected an object, current value is ${JSON.stringify(value)}`);
  }
  return { ...value };
}

function asStrings(value: unknown, what: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(asObject(value, what)).map(([key, text]) => [key, asString(text, `${key} of ${what}`)]),
  );
}

function asString(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new TypeError(`Cannot read ${what}: expected a text, current value is ${JSON.stringify(value)}`);
}
