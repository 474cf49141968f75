/**
 * The places in a README that a program writes its tables to: between `<!-- behaviour:begin -->` and
 * `<!-- behaviour:end -->`; `<!-- behaviour:begin tcp-echo udp -->` is for those columns only.
 *
 * @module
 */
import { readFile, writeFile } from "node:fs/promises";
import { markdownTable } from "markdown-table";
import { lexer, type Token, type Tokens } from "marked";

/** A table: the header, then the rows. Cells are Markdown; a `|` in one needs no escape here. */
export type Table = string[][];

/** A place for a table in a README. */
export interface TablePlace {
  /** The columns that belong there, by what the first marker names; `undefined` where it names none: all. */
  names: readonly string[] | undefined;
  /** The table that is there; without rows where there is none yet. */
  table: Table;
}

const PLACE = /(<!-- behaviour:begin(?<names>(?: [\w-]+)*) -->)(?<table>[\s\S]*?)(<!-- behaviour:end -->)/g;

/**
 * Reads the tables in a README.
 *
 * @param name What the error calls it.
 * @throws When it is missing or has no markers.
 */
export async function readTablePlaces(path: string, name: string = path): Promise<TablePlace[]> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new Error(`Cannot read ${name}: the table goes in there`, { cause });
  });
  const places = [...text.matchAll(PLACE)].map(({ groups }) => ({
    names: groups?.["names"]?.match(/\S+/g) ?? undefined,
    table: parseTable(groups?.["table"] ?? ""),
  }));
  if (places.length > 0) return places;
  const markers = "a line <!-- behaviour:begin --> and a line <!-- behaviour:end -->";
  throw new Error(`Cannot find the place for the table in ${name}: it needs ${markers}`);
}

function parseTable(markdown: string): Table {
  const table = lexer(markdown).find(isTable);
  return table ? [table.header, ...table.rows].map((row) => row.map(({ text }) => text)) : [];
}

// marked's own tokens have a type for extensions that is open to any `type`.
function isTable(token: Token): token is Tokens.Table {
  return token.type === "table";
}

/**
 * Puts tables in their places.
 *
 * @param tables As many as there are places.
 * @returns Whether that changed the file.
 */
export async function writeTablePlaces(path: string, tables: readonly Table[]): Promise<boolean> {
  const text = await readFile(path, "utf8");
  let index = 0;
  const changed = text.replace(PLACE, (_all, begin: string, _names, _table, end: string) => {
    const escaped = tables[index++]?.map((row) => row.map((cell) => cell.replaceAll("|", "\\|"))) ?? [];
    // Without padding: one longer cell is not to change every line.
    return `${begin}\n\n${markdownTable(escaped, { alignDelimiters: false })}\n\n${end}`;
  });
  if (changed === text) return false;
  await writeFile(path, changed);
  return true;
}

/** Plain words as the Markdown of a cell. */
export function escapeCell(text: string): string {
  return text.replace(/[\\<]/g, "\\$&").replace(/\s+/g, " ").trim();
}
