import { setTimeout as sleep } from "node:timers/promises";
import type { Sender } from "./sender.ts";

/** What was sent. */
export interface Sent {
  sent: number;
  /** How long an answer took afterwards, in ms; 0 when none came, `undefined` when nobody was asked. */
  roundTripMs: number | undefined;
}

/** Sends a message many times: 64 at once, as fast as the system takes them, or one by one with a pause after each. */
export async function sendTimes(
  sender: Sender,
  message: Uint8Array,
  { count, everyMs }: { count: number; everyMs: number },
): Promise<Sent> {
  let sent = 0;
  async function sendSome() {
    while (sent < count && !sender.isClosed) {
      sent++;
      await sender.send(message);
      if (everyMs > 0) await sleep(everyMs);
    }
  }
  await Promise.all(Array.from({ length: everyMs > 0 ? 1 : AT_ONCE }, sendSome));
  return { sent, roundTripMs: sender.blind || sender.isClosed ? undefined : await sender.ping().catch(() => 0) };
}

const AT_ONCE = 64;
