/**
 * json-rpc-2.0 over the lines of `@ipc/core`.
 *
 * @module
 */
import { lineFraming } from "@ipc/core/framing";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { readFrames } from "@ipc/core/read-frames";
import { startTcpServer } from "@ipc/core/tcp-server";
import { createFrameWriter } from "@ipc/core/write-frames";
import { JSONRPCServer } from "json-rpc-2.0";

await runProgram({ name: "json-rpc-2.0", summary: "A library of the benchmark.", flags: {} }, async () => {
  const rpc = new JSONRPCServer();
  rpc.addMethod("subtract", ([minuend = 0, subtrahend = 0]: number[]) => minuend - subtrahend);
  const server = await startTcpServer({}, async (socket, signal) => {
    const writer = createFrameWriter(socket, lineFraming);
    for await (const lines of readFrames(socket, lineFraming.createDecoder(), { signal })) {
      for (const line of lines) {
        void rpc.receiveJSON(Buffer.from(line.buffer, line.byteOffset, line.length).toString()).then((response) => {
          if (response) writer.write(Buffer.from(JSON.stringify(response)));
        });
      }
    }
  });
  closeOnSignal(server);
  sayReady("json-rpc-2.0", server.url);
});
