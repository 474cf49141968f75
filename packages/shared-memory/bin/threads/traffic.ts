/** What goes through the ring: numbered texts of different lengths. */
export function textOf(number: number): string {
  return `message ${number}${" and more".repeat(number % 12)}`;
}

/** A checksum that goes on from message to message (FNV-1a): equal on both sides when all is whole and in order. */
export function checksum(sum: number, message: Uint8Array): number {
  let next = sum;
  for (const byte of message) next = Math.imul(next ^ byte, 0x0100_0193);
  return next;
}

/** The totals of one side. */
export function totals(verb: string, messages: number, bytes: number, sum: number): string {
  const hex = (sum >>> 0).toString(16).padStart(8, "0");
  return `${verb} ${messages.toLocaleString("en")} messages, ${bytes.toLocaleString("en")} bytes, sum ${hex}`;
}
