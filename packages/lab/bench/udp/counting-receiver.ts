import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { startReceiver } from "@ipc/udp";

const flags = { receiveBufferBytes: { type: "number", default: 0, help: "to ask for" } } as const;

await runProgram({ name: "counting", summary: "Counts, for the benchmark.", flags }, async (values) => {
  const receiver = await startReceiver(values);
  closeOnSignal({
    async close() {
      await receiver.close();
      say(`received ${receiver.counts().received}`);
    },
  });
  sayReady("counting", receiver.url);
  for await (const _message of receiver);
});
