import { setTimeout as sleep } from "node:timers/promises";
import type { Sender } from "./sender.ts";

/**
 * Sends a message many times: 64 at once, as fast as the system takes them, or one by one with a pause after each.
 *
 * @returns How many; and how long an answer took afterwards, in ms: 0 when none came, `undefined` when nobody was
 *   asked.
 */
export async function sendTimes(
  sender: Sender,
  message: Uint8Array,
  { count, everyMs }: { count: number; everyMs: number },
): Promise<{ sent: number; roundTripMs: number | undefined }> {
  let sent = 0;
  async function sendSome() {
    while (sent < count && !sender.isClosed) {
      sent++;
      await sender.send(message);
      if (everyMs > 0) await sleep(everyMs);
    }
  }
  await Promise.all(Array.from({ length: everyMs > 0 ? 1 : 64 }, sendSome));
  return { sent, roundTripMs: sender.blind || sender.isClosed ? undefined : await sender.ping().catch(() => 0) };
}
