/**
 * One way, from a process that pushes to one that pulls: the example's ends, or PUSH and PULL alone in the loop of every
 * tutorial.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connectPush } from "@ipc/zmq";
import { Pull, Push } from "zeromq";
import { type VariantSetup, wrongResult } from "../../src/bench/variant.ts";

/** `messageBytes`; `kind`: `bare`, `plain` or `packed`. */
export const setup: VariantSetup = async ({ messageBytes, kind }) => {
  const answers = new Pull({ linger: 0 });
  await answers.bind("tcp://127.0.0.1:*");
  const args = [answers.lastEndpoint ?? "", ...(kind === "bare" ? ["--bare"] : [])];
  const sink = startProgram(new URL("./sink.ts", import.meta.url), args);
  const url = await sink.ready;
  const message = new Uint8Array(Number(messageBytes)).fill(0x61);
  const { sendFor, close } = kind === "bare" ? openBare(url) : await openOurs(url, kind === "packed");
  return {
    pids: [sink.pid],
    async measure({ forMs }) {
      const start = performance.now();
      const sent = await sendFor(message, start + forMs);
      const [counted] = await answers.receive();
      if (Number(counted) !== sent) throw wrongResult(`${counted} of ${sent} came`);
      return sent / ((performance.now() - start) / 1_000);
    },
    async close() {
      await close();
      answers.close();
      await sink.stop();
    },
  };
};

const END = new Uint8Array(0);

function openBare(url: string) {
  const push = new Push({ linger: 0 });
  push.connect(url);
  async function sendFor(message: Uint8Array, end: number): Promise<number> {
    let sent = 0;
    for (; performance.now() < end; sent += 64) for (let i = 0; i < 64; i++) await push.send(message);
    await push.send(END);
    return sent;
  }
  return { sendFor, close: () => push.close() };
}

async function openOurs(url: string, isPacked: boolean) {
  const push = await connectPush(url, { isPacked });
  async function sendFor(message: Uint8Array, end: number): Promise<number> {
    let sent = 0;
    for (; performance.now() < end; sent += 64) {
      for (let i = 0; i < 64; i++) {
        const room = push.send(message);
        if (room !== undefined) await room;
      }
    }
    await push.send(END);
    return sent;
  }
  return { sendFor, close: () => push.close() };
}
