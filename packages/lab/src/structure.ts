/**
 * The rules of the house that no linter knows: what every example has, and who may import whom.
 *
 * @module
 */
import { readdir, readFile } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { lexer, type Token, type Tokens, walkTokens } from "marked";
import type { Example } from "./examples.ts";

/** The headings of an example's README, in this order; others may stand between them on a lower level. */
const HEADINGS = [
  "Files",
  "Use it in your code",
  "Copy it",
  "On the wire",
  "What happens when",
  "How fast",
  "When to use it, when not",
  "Before production",
];
const SCRIPTS = ["start", "test", "typecheck"];
const PAIR_SCRIPTS = ["start:server", "start:client"];
/** Where the parts of a program are that runs its roles as threads: none of them can be started by itself. */
const THREADS = `threads${sep}`;
const BIN_LINES = 30;
const FIRST_FILE_LINES = 120;

/**
 * Looks at one example.
 *
 * @returns What is not as it should be, one line each.
 */
export async function findStructureProblems(example: Example): Promise<string[]> {
  const readme = await readIfThere(example.readme);
  const problems = [
    ...(readme === undefined ? ["README.md is missing"] : checkHeadings(readme)),
    ...(await checkScripts(example)),
    ...(await checkBins(example)),
    ...(await checkFirstFile(example, readme ?? "")),
    ...(await findImportProblems(example)),
  ];
  return problems.map((problem) => `${example.name}: ${problem}`);
}

async function readIfThere(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "EISDIR") return undefined;
    throw error;
  });
}

function checkHeadings(readme: string): string[] {
  const found = lexer(readme)
    .filter(isHeading)
    .filter(({ depth }) => depth === 2)
    .map(({ text }) => text);
  if (JSON.stringify(found) === JSON.stringify(HEADINGS)) return [];
  return [`the headings of README.md are ${found.join(" · ")}, they should be ${HEADINGS.join(" · ")}`];
}

// marked's own tokens have a type for extensions that is open to any `type`.
function isHeading(token: Token): token is Tokens.Heading {
  return token.type === "heading";
}

async function checkScripts({ folder, manifest }: Example): Promise<string[]> {
  const files = (await listFiles(join(folder, "bin"))).filter((name) => name.endsWith(".ts"));
  const bins = files.filter((name) => !name.startsWith(THREADS));
  const roles = bins.map((name) => name.slice(0, -".ts".length)).filter((role) => role !== "start");
  const pair = bins.length < files.length ? [] : PAIR_SCRIPTS;
  const wanted = new Set([...SCRIPTS, ...pair, ...roles.map((role) => `start:${role}`)]);
  return [...wanted]
    .filter((name) => manifest.scripts[name] === undefined)
    .map((name) => `package.json has no script ${name}`);
}

async function checkBins({ folder }: Example): Promise<string[]> {
  const files = (await listFiles(join(folder, "bin"))).map((name) => join("bin", name));
  const lengths = await Promise.all(files.map((file) => checkLength(folder, file, BIN_LINES)));
  return lengths.flat();
}

async function checkLength(folder: string, file: string, most: number): Promise<string[]> {
  const lines = ((await readIfThere(join(folder, file))) ?? "").trimEnd().split("\n").length;
  return lines > most ? [`${file} has ${lines} lines, ${most} are allowed`] : [];
}

/** The file that is named first in the section Files is the whole idea. */
async function checkFirstFile({ folder }: Example, readme: string): Promise<string[]> {
  const section = /^## Files$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(readme)?.[1] ?? "";
  const named: string[] = [];
  void walkTokens(lexer(section), (token) => {
    if (token.type === "link") named.push(String(token["href"]));
    if (token.type === "codespan") named.push(String(token["text"]));
  });
  for (const name of named) {
    const isFile = name.endsWith(".ts") && (await readIfThere(join(folder, name))) !== undefined;
    if (isFile) return checkLength(folder, name, FIRST_FILE_LINES);
  }
  return ["the section Files of README.md names no file of the package"];
}

/**
 * Looks at what a package imports: no file outside of its folder, and of this repository only `@ipc/core`; core itself
 * imports no other package of it.
 */
export async function findImportProblems({ folder, manifest }: Example): Promise<string[]> {
  const problems = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })
    .filter((name) => isForbidden(name, manifest.name))
    .map((name) => `package.json depends on ${name}`);
  for (const part of ["src", "bin", "test"]) {
    const files = (await listFiles(join(folder, part))).filter((name) => /\.[cm]?[jt]s$/.test(name));
    for (const name of files) {
      const file = join(folder, part, name);
      for (const specifier of importsOf(await readFile(file, "utf8"))) {
        const isOutside = specifier.startsWith(".") && !isWithin(folder, resolve(file, "..", specifier));
        const path = relative(folder, file);
        if (isOutside || isForbidden(specifier, manifest.name)) problems.push(`${path} imports ${specifier}`);
      }
    }
  }
  return problems;
}

function isForbidden(specifier: string, ownName: string): boolean {
  const [scope, name] = specifier.split("/");
  return scope === "@ipc" && name !== "core" && `@ipc/${name}` !== ownName;
}

function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}

function importsOf(source: string): string[] {
  const pattern = /\b(?:from|import|import\.meta\.resolve\(|import\()\s*["']([^"'\n]+)["']/g;
  return [...source.matchAll(pattern)].flatMap(([, specifier]) => specifier ?? []);
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
