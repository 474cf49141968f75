import { readFile, writeFile } from "node:fs/promises";
import type { ZmqEvent } from "./events.ts";
import { loadZeromq } from "./socket.ts";
import { startAllowList } from "./zap.ts";

/** Keys of CURVE (RFC 26), 40 characters each. The secret one never leaves its machine. */
export interface KeyPair {
  publicKey: string;
  secretKey: string;
}

/** What a listening socket needs to encrypt, and to know who may connect. */
export interface ServerKeys {
  secretKey: string;
  /** Public keys of those who may connect; all others are refused. */
  allowedKeys: readonly string[];
}

/** What a connecting socket needs. */
export interface ClientKeys extends KeyPair {
  /** The server's public key: nobody else can answer in its place. */
  serverKey: string;
}

/** Makes a new pair of keys. */
export async function makeKeys(): Promise<KeyPair> {
  return (await loadZeromq()).curveKeyPair();
}

/** Writes `<name>.json`, for its owner only, and `<name>.pub` with the public key. Refuses to overwrite. */
export async function writeKeys(name: string, keys: KeyPair): Promise<void> {
  await writeFile(`${name}.json`, `${JSON.stringify(keys)}\n`, { mode: 0o600, flag: "wx" });
  await writeFile(`${name}.pub`, `${keys.publicKey}\n`, { flag: "wx" });
}

/** Reads our keys and the public ones of those who may connect: a file with one a line, none without. */
export async function readServerKeys(keysFile: string, allowFile?: string): Promise<ServerKeys> {
  const { secretKey } = await readPair(keysFile);
  return { secretKey, allowedKeys: allowFile ? (await readFile(allowFile, "utf8")).split(/\s+/).filter(Boolean) : [] };
}

/** Reads our keys and the server's public one. */
export async function readClientKeys(keysFile: string, serverKeyFile = ""): Promise<ClientKeys> {
  return { ...(await readPair(keysFile)), serverKey: (await readFile(serverKeyFile, "utf8")).trim() };
}

async function readPair(file: string): Promise<KeyPair> {
  const { publicKey, secretKey }: Record<string, unknown> = JSON.parse(await readFile(file, "utf8"));
  return { publicKey: String(publicKey), secretKey: String(secretKey) };
}

/** The options of a socket that connects. */
export function clientKeys(keys: ClientKeys | undefined) {
  if (!keys) return {};
  for (const name of ["publicKey", "secretKey", "serverKey"] as const) checkKey(name, keys[name]);
  return { curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey, curveServerKey: keys.serverKey };
}

/** The options of a socket that listens, and what ends them: an allow-list, in a context of its own. */
export async function guard(keys: ServerKeys | undefined, report: (event: ZmqEvent) => void) {
  if (!keys) return { settings: {}, close: () => {} };
  checkKey("secretKey", keys.secretKey);
  for (const key of keys.allowedKeys) checkKey("allowedKeys", key);
  const { context, close } = await startAllowList(keys.allowedKeys, report);
  return { settings: { context, curveServer: true, curveSecretKey: keys.secretKey, zapDomain: "ipc" }, close };
}

function checkKey(name: string, key: string): void {
  if (/^[\w.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/.test(key)) return;
  // Not the key itself: it may be secret.
  throw new TypeError(`Cannot use ${name}: it must be a key of 40 characters, current value has ${key.length}`);
}
