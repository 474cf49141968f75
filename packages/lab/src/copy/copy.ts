/**
 * Copies an example into a folder that stands alone.
 *
 * @module
 */
import { readdir, realpath } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { type Example, listExamples, repositoryRoot } from "../examples.ts";
import { planCopy } from "./copy-plan.ts";
import { writeFolder } from "./write-folder.ts";

/** What to copy, and where to. */
export interface CopyOptions {
  /** Of the example. */
  name: string | undefined;
  /** Missing or empty so far, outside the repository. */
  folder: string | undefined;
  /** The folder that a relative `folder` starts from. @default {process.cwd()} */
  from?: string;
  /** The repository to copy from. @default {repositoryRoot} */
  root?: string;
  /** Ends it: what was written so far is removed, and it rejects. */
  signal?: AbortSignal;
}

/** What was written. */
export interface Copied {
  /** Absolute path. */
  folder: string;
  /** Paths in the folder, sorted. */
  files: string[];
}

/**
 * Copies an example with the files of core that it uses; the copy needs nothing of this repository. Writes all or
 * nothing.
 *
 * @throws {RangeError} When the name is none of an example, or the folder is missing, not empty, or in the repository.
 *
 * @example
 * ```ts no-run
 * import { copyExample } from "../src/copy/copy.ts";
 *
 * const { files } = await copyExample({ name: "tcp-echo", folder: "../tcp-echo" });
 * console.log(files.length);
 * ```
 */
export async function copyExample(options: CopyOptions): Promise<Copied> {
  const { from = process.cwd(), root = repositoryRoot, signal = new AbortController().signal } = options;
  const example = pickExample(await listExamples(root), options.name);
  if (options.folder === undefined || options.folder === "") {
    throw new RangeError(
      `Cannot copy ${example.name}: say where to, as in pnpm copy ${example.name} ../${example.name}`,
    );
  }
  const folder = resolve(from, options.folder);
  await checkFolder(folder, root);
  const files = await planCopy(example, root);
  await writeFolder(folder, files, signal);
  return { folder, files: [...files.keys()].sort() };
}

function pickExample(examples: readonly Example[], name: string | undefined): Example {
  const found = examples.find((example) => example.name === name);
  if (found) return found;
  const known = examples.map((example) => example.name).join(", ");
  if (name === undefined) throw new RangeError(`Cannot copy without a name and a folder: the names are ${known}`);
  throw new RangeError(`Cannot copy '${name}': the names are ${known}`);
}

async function checkFolder(folder: string, root: string): Promise<void> {
  const place = await realPlace(folder);
  const repository = await realpath(root);
  if (place === repository || place.startsWith(repository + sep)) {
    throw new RangeError(`Cannot copy to ${folder}: it is in this repository, choose a folder outside`);
  }
  if (!(await isMissingOrEmpty(folder))) {
    throw new RangeError(`Cannot copy to ${folder}: the folder must be new or empty`);
  }
}

/** Where a path leads through links, as far as it exists. */
async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code !== "ENOENT" && code !== "ENOTDIR") || path === dirname(path)) throw error;
    return join(await realPlace(dirname(path)), path.slice(dirname(path).length));
  }
}

async function isMissingOrEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return true;
    if (code === "ENOTDIR") return false;
    throw error;
  }
}
