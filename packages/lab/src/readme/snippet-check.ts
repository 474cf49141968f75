/**
 * Makes a check of each TypeScript snippet: it is type-checked, and runs unless it says `no-run`.
 *
 * @module
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Example, listExamples } from "../examples.ts";
import type { Block } from "./markdown-blocks.ts";
import type { Check } from "./readme-check.ts";
import type { Source } from "./readme-sources.ts";
import { checkTypes, makePlace, runSnippet } from "./snippets.ts";

/** Where snippets are written to, and what they may import. */
export interface SnippetOptions {
  temporary: string;
  root: string;
  packages: readonly Example[];
}

const LIMIT_MS = 30_000;
/** One run of the compiler for all snippets; the first check waits for it. */
const TYPES_MS = 120_000;

/** A snippet and where it has been written to. */
interface Written {
  source: Source;
  block: Block;
  /** As in the name of its check: the first block is 1. */
  number: number;
  file: string;
}

/** Writes all snippets to a temporary folder and gives one check for each. */
export async function snippetChecks(sources: readonly Source[], options: SnippetOptions): Promise<Check[]> {
  const { temporary, root } = options;
  const snippets = sources.flatMap((source) =>
    source.blocks
      .filter(({ language }) => language === "ts")
      .map((block, index): Written => {
        const number = index + 1;
        return { source, block, number, file: fileOf(source, number, temporary) };
      }),
  );
  for (const owner of new Set(snippets.map(({ source }) => source.owner))) await makePlaceOf(owner, options);
  for (const { file, block } of snippets) await writeFile(file, block.text);

  let types: Promise<Map<string, string[]>> | undefined;
  return snippets.map(({ source, block, number, file }) => ({
    name: `${source.name}: ts block ${number}`,
    timeoutMs: LIMIT_MS + TYPES_MS,
    async run() {
      types ??= checkTypes(
        temporary,
        snippets.map((snippet) => snippet.file),
      );
      const errors = (await types).get(file);
      if (errors) throw new TypeError(`The snippet has wrong types:\n${errors.join("\n")}\n\n${block.text}`);
      if (block.words.includes("no-run")) return;
      await runSnippet({ file, folder: source.owner?.folder ?? root, output: block.output }, LIMIT_MS);
    },
  }));
}

/** Snippets of doc comments stand in a folder beside `src/`, as the programs in `bin/` do. */
function fileOf({ name, owner, kind }: Source, number: number, temporary: string): string {
  const place = join(temporary, owner?.name ?? ROOT_PLACE);
  return join(place, kind === "program" ? "docs" : "", `${name.replace(/[^a-z0-9]+/gi, "-")}-${number}.ts`);
}

/** No package is called that. */
const ROOT_PLACE = ".root";

async function makePlaceOf(owner: Example | undefined, { temporary, root, packages }: SnippetOptions): Promise<void> {
  const examples = await listExamples(root);
  const all = Object.fromEntries(packages.map(({ manifest, folder }) => [manifest.name, folder]));
  if (!owner) return makePlace(join(temporary, ROOT_PLACE), { folder: root, packages: all });
  const own = Object.entries(all).filter(([name]) => name === "@ipc/core" || name === owner.manifest.name);
  // Core's comments show the programs of an example, which it must not know itself.
  const shown = examples.find(({ name }) => name === "tcp-echo") ?? examples[0];
  const source = owner.name === "core" && shown ? join(shown.folder, "src") : join(owner.folder, "src");
  await makePlace(join(temporary, owner.name), {
    folder: owner.folder,
    source,
    packages: Object.fromEntries(own),
  });
}
