/**
 * What a program prints, and how text from outside is made safe to print.
 *
 * @module
 */
import { styleText } from "node:util";

/** Prints one line on standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints one line on standard error: what went wrong, what is being waited for. */
export function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * Bytes from outside as one printable line: UTF-8 where it is text, control characters escaped so that a peer cannot
 * move the cursor or clear the screen, long ones cut.
 *
 * @example
 * ```ts
 * import { printable } from "@ipc/core/terminal";
 *
 * console.log(printable(new TextEncoder().encode("caf\u00e9 \u001b[2J")));
 * ```
 * ```text
 * café \x1b[2J
 * ```
 */
export function printable(bytes: Uint8Array, maxCharacters = 200): string {
  // Four bytes a character at most: no more than that is decoded of a long message.
  const text = new TextDecoder().decode(bytes.subarray(0, maxCharacters * 4));
  const shown = [...text]
    .slice(0, maxCharacters)
    .join("")
    .replace(CONTROL, (character) => {
      const code = character.codePointAt(0) ?? 0;
      return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
    });
  return text.length > maxCharacters ? `${shown}… (${bytes.length} bytes)` : shown;
}

/** Control and format characters: C0, DEL, C1, and those that turn the direction of text around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * The same text in a colour on a terminal; as it is where it goes to a file or `NO_COLOR` is set.
 *
 * @example
 * ```ts
 * import { paint, say } from "@ipc/core/terminal";
 *
 * say(`${paint("green", "✓")} passed`);
 * ```
 * ```text
 * ✓ passed
 * ```
 */
export function paint(format: Parameters<typeof styleText>[0], text: string): string {
  const plain = !process.stdout.isTTY || process.env["NO_COLOR"] || process.env["TERM"] === "dumb";
  return plain ? text : styleText(format, text);
}
