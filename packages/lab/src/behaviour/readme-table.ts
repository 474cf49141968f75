/**
 * The place in a README that a program writes its table to: between `<!-- behaviour:begin -->` and
 * `<!-- behaviour:end -->`.
 *
 * @module
 */
import { readFile, writeFile } from "node:fs/promises";
import { markdownTable } from "markdown-table";
import { lexer, type Token, type Tokens } from "marked";

/** A table: the header, then the rows. Cells are Markdown; a `|` in one needs no escape here. */
export type Table = string[][];

/** A README around its table. */
export interface TablePlace {
  /** Up to and with the first marker. */
  before: string;
  /** The table that is there; without rows where there is none yet. */
  table: Table;
  /** From the second marker on. */
  after: string;
  text: string;
}

const BEGIN = "<!-- behaviour:begin -->";
const END = "<!-- behaviour:end -->";

/**
 * Reads a README and the table in it.
 *
 * @param name What the error calls it.
 * @throws When it is missing or has no markers.
 */
export async function readTablePlace(path: string, name: string = path): Promise<TablePlace> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new Error(`Cannot read ${name}: the table goes in there`, { cause });
  });
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot find the place for the table in ${name}: it needs a line ${BEGIN} and a line ${END}`);
  }
  return {
    before: text.slice(0, begin + BEGIN.length),
    table: parseTable(text.slice(begin + BEGIN.length, end)),
    after: text.slice(end),
    text,
  };
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
 * Puts a table in its place.
 *
 * @returns Whether that changed the file.
 */
export async function writeTable(path: string, place: TablePlace, table: Table): Promise<boolean> {
  const escaped = table.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  // Without padding: one longer cell is not to change every line.
  const markdown = markdownTable(escaped, { alignDelimiters: false });
  const text = `${place.before}\n\n${markdown}\n\n${place.after}`;
  if (text === place.text) return false;
  await writeFile(path, text);
  return true;
}

/** Plain words as the Markdown of a cell. */
export function escapeCell(text: string): string {
  return text.replace(/[\\<]/g, "\\$&").replace(/\s+/g, " ").trim();
}
