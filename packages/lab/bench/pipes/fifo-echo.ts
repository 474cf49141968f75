import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { openFifoWriter, startFifoReader } from "@ipc/pipes";

const program = { name: "fifo echo", summary: "Writes every line of one FIFO into another.", flags: {} };

await runProgram({ ...program, args: ["from", "to"] }, async (_flags, [from = "", to = ""]) => {
  const reader = await startFifoReader({ url: from });
  closeOnSignal(reader);
  const writer = await openFifoWriter(to);
  sayReady("fifo echo", reader.url);
  for await (const line of reader) await writer.send(line);
  await writer.close();
});
