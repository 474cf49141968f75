/**
 * json-rpc-2.0 over the same lines as ours: it comes without a transport.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { lineFraming } from "@ipc/core/framing";
import { connectTcp } from "@ipc/core/sockets";
import { createTextLineDecoder } from "@ipc/core/text-lines";
import { createFrameWriter } from "@ipc/core/write-frames";
import { JSONRPCClient } from "json-rpc-2.0";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { callsPerSecond, PARAMS } from "./load.ts";

/** No options. */
export const setup: VariantSetup = async () => {
  const server = startProgram(new URL("./peer-server.ts", import.meta.url));
  const socket = await connectTcp(await server.ready);
  const writer = createFrameWriter(socket, lineFraming);
  const client = new JSONRPCClient((request) => {
    writer.write(Buffer.from(JSON.stringify(request)));
  });
  const decoder = createTextLineDecoder();
  socket.on("data", (chunk) => {
    for (const line of decoder.decode(chunk)) client.receive(JSON.parse(line));
  });
  return {
    pids: [server.pid],
    measure: ({ forMs }) => callsPerSecond(forMs, () => Promise.resolve(client.request("subtract", PARAMS))),
    async close() {
      socket.destroy();
      await server.stop();
    },
  };
};
