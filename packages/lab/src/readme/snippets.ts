/**
 * Type-checks and runs the TypeScript snippets of READMEs and doc comments. They are written to a temporary folder that
 * looks, through links, like the folder of their package: nothing is left in the tree, even when this is killed.
 *
 * @module
 */
import { AssertionError } from "node:assert";
import { execFile } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { startProgram } from "@ipc/core/child";
import { repositoryRoot } from "../examples.ts";
import { matchesTranscript, plainLines } from "./transcript.ts";

/** A snippet that has been written to its place. */
export interface Snippet {
  file: string;
  /** The folder it runs in: that of its package. */
  folder: string;
  /** What it prints; `undefined` when nobody says. */
  output: string | undefined;
}

/** What a folder of a package is to look like. */
export interface Place {
  /** The folder to look like. */
  folder: string;
  /** Where its `src` leads to. @default {folder/src} */
  source?: string;
  /** Packages that are there in addition to those in its own `node_modules`: folders by name. */
  packages: Record<string, string>;
}

/** Makes a folder that looks like that of a package, with its `package.json`, sources and dependencies. */
export async function makePlace(target: string, { folder, source, packages }: Place): Promise<void> {
  await mkdir(join(target, "docs"), { recursive: true });
  await mkdir(join(target, "node_modules"), { recursive: true });
  await writeFile(join(target, "package.json"), '{ "type": "module" }');
  for (const name of await namesIn(folder)) {
    if (name.startsWith(".") || ["node_modules", "package.json", "docs"].includes(name)) continue;
    await symlink(name === "src" && source !== undefined ? source : join(folder, name), join(target, name));
  }
  const modules = new Map(Object.entries(packages));
  for (const name of await modulesIn(join(folder, "node_modules"))) {
    if (!modules.has(name)) modules.set(name, join(folder, "node_modules", name));
  }
  for (const [name, at] of modules) {
    const link = join(target, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(at, link);
  }
}

/** The packages in a `node_modules`, those with a scope as `@scope/name`. */
async function modulesIn(folder: string): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => !name.startsWith("."));
  const scoped = await Promise.all(
    names.map(async (name) =>
      name.startsWith("@") ? (await namesIn(join(folder, name))).map((one) => `${name}/${one}`) : [name],
    ),
  );
  return scoped.flat();
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

/**
 * Type-checks all snippets below a folder in one run.
 *
 * @returns The errors, by the file they are in.
 */
export async function checkTypes(folder: string, files: readonly string[]): Promise<Map<string, string[]>> {
  const require = createRequire(import.meta.url);
  const config = {
    extends: join(repositoryRoot, "tsconfig.base.json"),
    compilerOptions: {
      // A snippet may well show a value that it does not go on to use.
      noUnusedLocals: false,
      noUnusedParameters: false,
      typeRoots: [dirname(dirname(require.resolve("@types/node/package.json")))],
    },
    files,
  };
  const project = join(folder, "tsconfig.json");
  await writeFile(project, JSON.stringify(config));
  const compiler = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const { code, stdout } = await runNode([compiler, "-p", project, "--pretty", "false"], folder);
  const errors = new Map<string, string[]>();
  for (const line of stdout.split("\n")) {
    const [, file, what] = /^(\S.*?)(\(\d+,\d+\): error .*)$/.exec(line) ?? [];
    if (file === undefined || what === undefined) continue;
    const path = join(folder, file);
    errors.set(path, [...(errors.get(path) ?? []), what]);
  }
  if (code !== 0 && errors.size === 0) throw new Error(`Cannot type-check the snippets: ${stdout}`);
  return errors;
}

function runNode(args: readonly string[], cwd: string): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error ? (child.exitCode ?? 1) : 0, stdout: stdout + stderr });
    });
  });
}

/** Runs a snippet. Throws when it fails, does not end by itself or prints something else than it should. */
export async function runSnippet({ file, folder, output }: Snippet, limitMs: number): Promise<void> {
  const program = startProgram(file, [], { cwd: folder, env: { NO_COLOR: "1", NODE_TEST_CONTEXT: "" } });
  const timer = setTimeout(() => void program.stop("SIGKILL"), limitMs);
  const { code, signal } = await program.exited;
  clearTimeout(timer);
  const expected = plainLines(output ?? "");
  const lines = plainLines(program.output.join("\n"));
  const all = [...lines, ...program.errors].join("\n");
  if (signal !== null) throw new Error(`The snippet did not end by itself within ${limitMs / 1000} s:\n${all}`);
  if (code !== 0) throw new Error(`The snippet ended with exit code ${code}:\n${all}`);
  if (output !== undefined && !matchesTranscript(expected, lines)) {
    const message = `The snippet prints something else.\nThe text says:\n${expected.join("\n")}\nIt printed:\n${all}`;
    throw new AssertionError({ message, actual: lines, expected });
  }
}
