/**
 * The texts of the repository that make claims: READMEs and doc comments.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Example } from "../examples.ts";
import { type Block, findBlocks, findExampleBlocks } from "./markdown-blocks.ts";

/** A README, or a program with its doc comments. */
export interface Source {
  /** Its path from the root. */
  name: string;
  /** Its code blocks, in order. */
  blocks: readonly Block[];
  /** The package it is of; `undefined` for the root's README. */
  owner: Example | undefined;
  kind: "readme" | "program";
}

/** Lists the README of the root, those of the packages, and all programs in their `src/`. */
export async function listSources(root: string, packages: readonly Example[]): Promise<Source[]> {
  const sources = await Promise.all([
    readReadme(root, join(root, "README.md"), undefined),
    ...packages.map((owner) => readReadme(root, owner.readme, owner)),
    ...packages.map((owner) => readPrograms(root, owner)),
  ]);
  return sources.flat();
}

// Which packages must have a README, and a `src/`, is not decided here.
function ifMissing<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === "ENOENT") return instead;
    throw error;
  };
}

async function readReadme(root: string, path: string, owner: Example | undefined): Promise<Source[]> {
  const text = await readFile(path, "utf8").catch(ifMissing(""));
  return [{ name: relative(root, path), blocks: findBlocks(text), owner, kind: "readme" }];
}

async function readPrograms(root: string, owner: Example): Promise<Source[]> {
  const folder = join(owner.folder, "src");
  const names = await readdir(folder, { recursive: true }).catch(ifMissing<string[]>([]));
  return Promise.all(
    names
      .filter((name) => name.endsWith(".ts"))
      .sort()
      .map(async (name): Promise<Source> => {
        const path = join(folder, name);
        const blocks = findExampleBlocks(await readFile(path, "utf8"));
        return { name: relative(root, path), blocks, owner, kind: "program" };
      }),
  );
}
