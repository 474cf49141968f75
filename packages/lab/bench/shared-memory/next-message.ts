import { once } from "node:events";
import type { Worker } from "node:worker_threads";

/** What a thread posts next; rejects with what it throws instead. */
export async function nextMessage(worker: Worker): Promise<unknown> {
  const [message] = await once(worker, "message");
  return message;
}
