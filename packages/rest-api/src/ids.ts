import { randomBytes } from "node:crypto";

/**
 * An id that people can read: `the-trial`. Titles in other alphabets than ours get one by chance.
 *
 * @param isTaken Adds 40 bits of chance.
 */
export function idFor(title: string, isTaken: boolean): string {
  const words = foldText(title).match(/[a-z0-9]+/g) ?? [];
  const slug = words.join("-").slice(0, 48).replace(/-$/, "");
  return slug === "" || isTaken ? [slug, chance()].filter(Boolean).join("-") : slug;
}

/** Without accents and case: `Brontë` is found, and sorted, as `bronte`. */
export function foldText(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function chance(): string {
  return Array.from(randomBytes(8), (byte) => ALPHABET[byte % 32]).join("");
}

// Crockford's base 32: no letters that look like digits.
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
