/**
 * The example as it is: a caller, and a listener who says every line again.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connect } from "@ipc/tcp-talk";
import { type VariantSetup, wrongResult } from "../../src/bench/variant.ts";
import { measureLoad } from "../tcp-echo/load.ts";
import { LINE } from "./line.ts";

/** No options. */
export const setup: VariantSetup = async () => {
  const server = startProgram(new URL("./parrot.ts", import.meta.url));
  const talk = await connect(await server.ready);
  const lines = talk[Symbol.asyncIterator]();
  const say = async () => {
    const answer = lines.next();
    await talk.send(LINE);
    if ((await answer).value !== LINE) throw wrongResult("a line came back as another");
  };
  return {
    pids: [server.pid],
    measure: (request) => measureLoad({ messageBytes: LINE.length, inFlight: 1 }, request, say),
    async close() {
      await talk.close();
      await server.stop();
    },
  };
};
