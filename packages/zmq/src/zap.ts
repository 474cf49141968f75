import type { ZmqEvent } from "./events.ts";
import { loadZeromq } from "./socket.ts";

/**
 * Decides who may connect, by public key: the handler that libzmq asks (ZAP, RFC 27) about each connection before the
 * first message. It is asked within one context, so every server with keys has its own.
 */
export async function startAllowList(allowedKeys: readonly string[], report: (event: ZmqEvent) => void) {
  const { Context, Reply } = await loadZeromq();
  const allowed = new Set(allowedKeys);
  const context = new Context();
  const socket = new Reply({ context, linger: 0 });
  await socket.bind("inproc://zeromq.zap.01");

  async function answer() {
    for await (const [version = "", id = "", , address, , mechanism, credentials] of socket) {
      const isAllowed = String(mechanism) === "CURVE" && credentials?.length === 32 && allowed.has(toZ85(credentials));
      const [code, text] = isAllowed ? ["200", "OK"] : ["400", "this key is not allowed"];
      await socket.send([version, id, code, text, "", ""]);
      if (isAllowed) continue;
      const error = new Error(`Cannot admit peer from ${address}: ${text}`);
      report({ type: "refused", error: Object.assign(error, { code: "EACCES" }) });
    }
  }
  // It ends with its socket.
  void answer();
  return { context, close: () => socket.close() };
}

/** Z85 (RFC 32): four bytes are five characters. */
function toZ85(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let text = "";
  for (let offset = 0; offset < bytes.length; offset += 4) {
    let word = view.getUint32(offset);
    let group = "";
    for (let digit = 0; digit < 5; digit++) {
      group = CHARACTERS.charAt(word % 85) + group;
      word = Math.floor(word / 85);
    }
    text += group;
  }
  return text;
}

const CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
