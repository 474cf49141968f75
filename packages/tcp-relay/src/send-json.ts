import type { Sender } from "./outbox.ts";

/**
 * Sends a JSON text many times: 64 at once, so that any number goes, however little may wait in line.
 *
 * @throws {TypeError} `ERR_USAGE` when it is no JSON: nothing is sent.
 */
export async function sendJson(sender: Sender, json: string, count: number): Promise<void> {
  const body = parse(json);
  let left = count;
  async function sendSome() {
    while (left-- > 0) await sender.send(body);
  }
  await Promise.all(Array.from({ length: 64 }, sendSome));
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw Object.assign(new TypeError(`Cannot send '${json}': it is no JSON`, { cause }), { code: "ERR_USAGE" });
  }
}
