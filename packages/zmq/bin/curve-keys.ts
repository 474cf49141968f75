import { runProgram } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { makeKeys, writeKeys } from "../src/index.ts";

const summary = "Makes a pair of keys: <name>.json is secret, <name>.pub is for the others.";
const advice = { EEXIST: "Choose another name", ENOENT: "Make the folder first", EACCES: "Choose another folder" };

await runProgram(
  { name: "zmq curve-keys", summary, args: ["name"], flags: {}, advice },
  async (_flags, [name = "my"]) => {
    const keys = await makeKeys();
    await writeKeys(name, keys);
    say(`secret key in ${name}.json, readable by you only`);
    say(`public key in ${name}.pub: ${keys.publicKey}`);
  },
);
