/**
 * Finds the fenced code blocks of a README and of doc comments.
 *
 * @module
 */
import { lexer, type Token, type Tokens, walkTokens } from "marked";

/** A fenced code block: ```` ```console terminal-1 ````. */
export interface Block {
  /** `console`, `ts`, or whatever stands first behind the fence. */
  language: string;
  /** The other words behind the fence: `terminal-1`, `needs=nc`. */
  words: readonly string[];
  text: string;
  /** What it prints: the ```` ```text ```` block that follows directly. */
  output?: string;
  /** How many headings come before it: blocks with the same number are of one section. */
  section: number;
}

/** Lists the code blocks of a Markdown text, in order. */
export function findBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  let section = 0;
  let previous: Block | undefined;

  function visit(token: Token): void {
    if (token.type === "space") return;
    if (token.type === "heading") section += 1;
    const before = previous;
    previous = undefined;
    if (!isFence(token)) return;
    const [language = "", ...words] = (token.lang ?? "").split(/\s+/);
    if (language === "text" && before) before.output = token.text;
    if (language === "text") return;
    previous = { language, words, text: token.text, section };
    blocks.push(previous);
  }

  void walkTokens(lexer(markdown), visit);
  return blocks;
}

// marked's own tokens have a type for extensions that is open to any `type`.
function isFence(token: Token): token is Tokens.Code {
  return token.type === "code";
}

/** Lists the code blocks in the `@example`s of a program's doc comments, in order. */
export function findExampleBlocks(source: string): Block[] {
  // Only at the beginning of a line: elsewhere `/**` may be part of a glob.
  const comments = source.match(/^[ \t]*\/\*\*[\s\S]*?\*\//gm) ?? [];
  return comments.flatMap((comment) => {
    const text = comment
      .replace(/^[ \t]*\/\*\*|\*\/$/g, "")
      .split("\n")
      .map((line) => line.replace(/^\s*\* ?/, ""))
      .join("\n");
    // The part before the first tag is prose.
    const [, ...tags] = text.split(/^(?=@\w)/m);
    return tags.filter((tag) => tag.startsWith("@example")).flatMap(findBlocks);
  });
}
