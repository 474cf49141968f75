/**
 * How many of 10,000 datagrams arrive, by the receive buffer: what does not fit while the receiver is busy is lost.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { openSender } from "@ipc/udp";
import { type VariantSetup, wrongResult } from "../../src/bench/variant.ts";

const COUNT = 10_000;
const AT_ONCE = 64;

/** `receiveBufferBytes`; 0 for the system's default. */
export const setup: VariantSetup = ({ receiveBufferBytes }) => {
  return {
    async measure() {
      // One for each measurement: it tells what it received when it ends.
      const receiver = startProgram(new URL("./counting-receiver.ts", import.meta.url), [
        "--receive-buffer-bytes",
        String(receiveBufferBytes),
      ]);
      try {
        const sender = await openSender(await receiver.ready);
        const message = new Uint8Array(64);
        let sent = 0;
        async function sendSome() {
          while (sent < COUNT) {
            sent++;
            await sender.send(message);
          }
        }
        await Promise.all(Array.from({ length: AT_ONCE }, sendSome));
        // Behind all the others: when it is answered, they are read or lost.
        while (!(await sender.ping().catch(() => undefined)));
        await sender.close();
        await receiver.stop();
        const received = /received (\d+)/.exec(receiver.output.join())?.[1];
        if (received === undefined) throw wrongResult("the receiver did not tell what it received");
        return Number(received);
      } finally {
        await receiver.stop("SIGKILL");
      }
    },
  };
};
