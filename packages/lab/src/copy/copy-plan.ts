/**
 * Works out what files a copy has. Reads, and writes nothing.
 *
 * @module
 */
import { isUtf8 } from "node:buffer";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, posix, sep } from "node:path";
import type { Example } from "../examples.ts";
import { copyManifest, copyPnpmSettings, copyTsconfig } from "./copy-manifest.ts";
import { rewriteMarkdown, rewriteText, type TextContext } from "./copy-text.ts";
import { CORE_FOLDER, collectCore, listSpecifiers, relateCore } from "./core-imports.ts";
import type { FileToWrite } from "./write-folder.ts";

/**
 * Reads an example and the files of core that it uses, and rewrites them for a folder that stands alone.
 *
 * @returns The files by their path in the copy.
 * @throws When something in them would still lead out of the copy; the message names the file.
 */
export async function planCopy(example: Example, root: string): Promise<Map<string, FileToWrite>> {
  const own = await readPackage(example.folder);
  if ([...own.keys()].some((path) => path.startsWith(`${CORE_FOLDER}/`))) {
    throw new Error(`Cannot copy ${example.name}: it has a ${CORE_FOLDER} of its own, where the files of core go`);
  }
  const core = await collectCore(join(root, "packages/core"), textsOf(own));
  const license = await readLicense(root);
  const files = new Map<string, FileToWrite>([
    ...(license === undefined ? [] : [["LICENSE", { content: license }] as const]),
    ...own,
    ...[...core].map(([path, content]) => [path, { content }] as const),
  ]);
  const context = { name: example.name, paths: new Set(files.keys()) };
  for (const [path, file] of files) files.set(path, rewrite(path, file, context));

  files.set("package.json", { content: await copyManifest(example, root, core.values()) });
  files.set("tsconfig.json", { content: await copyTsconfig(example, root) });
  files.set("pnpm-workspace.yaml", { content: await copyPnpmSettings(root) });
  files.set(".gitignore", { content: `${own.get(".gitignore")?.content ?? ""}node_modules/\n` });
  for (const [path, { content }] of files) checkAlone(path, content);
  return files;
}

/** What is installed, built or left behind by a tool: no part of a package. */
const NOT_OURS = /^(?:node_modules|dist|coverage|data|\.ipc|\.git|\.DS_Store)$|\.(?:log|cpuprofile|tsbuildinfo)$/;

async function readPackage(folder: string): Promise<Map<string, FileToWrite>> {
  const files = new Map<string, FileToWrite>();
  async function walk(under: string): Promise<void> {
    for (const entry of await readdir(join(folder, under), { withFileTypes: true })) {
      const path = posix.join(under, entry.name);
      if (NOT_OURS.test(entry.name)) continue;
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) files.set(path, await readOne(join(folder, path.replaceAll("/", sep))));
    }
  }
  await walk("");
  return files;
}

async function readOne(path: string): Promise<FileToWrite> {
  const [bytes, { mode }] = await Promise.all([readFile(path), stat(path)]);
  const isText = isUtf8(bytes) && !bytes.includes(0);
  return { content: isText ? bytes.toString() : bytes, mode: mode & 0o777 };
}

async function readLicense(root: string): Promise<string | undefined> {
  try {
    return await readFile(join(root, "LICENSE"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function textsOf(files: ReadonlyMap<string, FileToWrite>): string[] {
  return [...files.values()].map(({ content }) => content).filter((content) => typeof content === "string");
}

function rewrite(path: string, file: FileToWrite, context: TextContext): FileToWrite {
  if (typeof file.content !== "string") return file;
  const related = relateCore(file.content, path);
  const content = path.endsWith(".md") ? rewriteMarkdown(related, path, context) : rewriteText(related, context);
  return { ...file, content };
}

/** What npm does not know, or knows as somebody else's. */
const FORBIDDEN = /workspace:|catalog:|@ipc\//;

function checkAlone(path: string, content: FileToWrite["content"]): void {
  if (typeof content !== "string") return;
  const [forbidden] = FORBIDDEN.exec(content) ?? [];
  if (forbidden !== undefined) throw new Error(`Cannot copy: ${path} would still have ${forbidden} in it`);
  for (const specifier of /\.[cm]?[jt]sx?$/.test(path) ? listSpecifiers(content) : []) {
    if (!specifier.startsWith(".")) continue;
    if (posix.join(posix.dirname(path), specifier).startsWith("..")) {
      throw new Error(`Cannot copy: ${path} would still lead out of the copy, to ${specifier}`);
    }
  }
}
