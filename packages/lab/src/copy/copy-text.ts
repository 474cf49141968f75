/**
 * Makes the prose of a package true in a copy: commands, paths and links.
 *
 * @module
 */
import { posix } from "node:path";

/** What the text of a copy depends on. */
export interface TextContext {
  /** `tcp-echo`. */
  name: string;
  /** The paths of all files in the copy. */
  paths: ReadonlySet<string>;
}

/** Rewrites a text that is not Markdown: what a comment or a message says about commands and paths. */
export function rewriteText(text: string, { name }: TextContext): string {
  return rewriteCommands(text, name)
    .replaceAll(new RegExp(`(?:\\.\\./)*packages/${name}(?:/|(?![\\w-]))`, "g"), (path) =>
      path.endsWith("/") ? "" : ".",
    )
    .replaceAll(/(?:\.\.\/)*packages\/core\/src\//g, "src/core/")
    .replaceAll(/@ipc\/core\/([\w/-]+)/g, "src/core/$1.ts")
    .replaceAll("@ipc/core", "src/core")
    .replaceAll("@ipc/", "");
}

/**
 * Rewrites a Markdown file: also drops the sections on copying and on speed, which is measured in the repository, and each
 * link that leads out of the copy; the list of files gets the files of core.
 */
export function rewriteMarkdown(text: string, path: string, context: TextContext): string {
  const inCopy = text
    .replaceAll(/^## (?:Copy it|How fast)\n[\s\S]*?(?=^## |(?![\s\S]))/gm, "")
    .replace(/^(?=\| \[bin\/\])/m, CORE_ROW)
    .replaceAll(/\]\((?:\.\.\/)+core\/src\//g, "](src/core/")
    .replaceAll("](../../LICENSE)", "](LICENSE)");
  return dropLinks(rewriteText(inCopy, context), path, context.paths);
}

const CORE_ROW =
  "| [src/core/](src/core) | framing, sockets, listening, retrying; child, flags, ports, process and terminal serve only bin/ and test/ |\n";

/** `npx pnpm --filter tcp-echo start --port 0` becomes `npm start -- --port 0`. */
function rewriteCommands(text: string, name: string): string {
  const command = new RegExp(
    `(?:npx )?pnpm (?:--filter|-F)[ =](?:@ipc/)?${name} (?:run )?([\\w:-]+)((?: +(?![#|>&;])[^\\s\`"']+)*)`,
    "g",
  );
  return text.replaceAll(command, (_, script: string, args: string) => {
    const run = script === "start" || script === "test" ? `npm ${script}` : `npm run ${script}`;
    const rest = args.trimStart().replace(/^-- /, "");
    return rest === "" ? run : `${run} -- ${rest}`;
  });
}

/** Keeps the words of a link that leads to nothing in the copy. */
function dropLinks(text: string, path: string, paths: ReadonlySet<string>): string {
  const isGone = (target: string) => !leadsSomewhere(target, path, paths);
  const gone = new Set<string>();
  return (
    text
      .replaceAll(/^\[([^\]\n]+)\]: +(\S+).*\n?/gm, (whole, label: string, target: string) => {
        if (!isGone(target)) return whole;
        gone.add(label.toLowerCase());
        return "";
      })
      // Images before links: a link may be around one.
      .replaceAll(/!\[([^\]]*)\]\(([^()\s]+)(?: "[^"]*")?\)/g, (whole, words: string, target: string) =>
        isGone(target) ? words : whole,
      )
      .replaceAll(/\[((?:[^[\]]|\[[^\]]*\])*)\]\(([^()\s]+)(?: "[^"]*")?\)/g, (whole, words: string, target: string) =>
        isGone(target) ? words : whole,
      )
      .replaceAll(/\[([^\]\n]+)\](?:\[([^\]\n]*)\])?(?!\()/g, (whole, words: string, label?: string) =>
        gone.has((label || words).toLowerCase()) ? words : whole,
      )
  );
}

function leadsSomewhere(target: string, path: string, paths: ReadonlySet<string>): boolean {
  if (/^[a-z][\w+.-]*:/i.test(target)) return true;
  if (target.startsWith("#")) return target !== "#copy-it";
  const [file = ""] = target.split("#");
  const inCopy = posix.join(posix.dirname(path), file).replace(/\/$/, "");
  return inCopy === "." || [...paths].some((known) => known === inCopy || known.startsWith(`${inCopy}/`));
}
