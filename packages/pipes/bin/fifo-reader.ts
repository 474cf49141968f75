import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { startFifoReader } from "../src/index.ts";

const flags = {
  graceMs: { type: "number", default: 3_000, help: "time to take what is in the FIFO when told to stop" },
} as const;
const summary = "Prints every line that is written into a FIFO (fifo:/tmp/ipc-pipes.fifo).";
const advice = { EADDRINUSE: "End that one, or choose another path" };

await runProgram({ name: "pipes fifo-reader", summary, args: ["url"], flags, advice }, async ({ graceMs }, [url]) => {
  const reader = await startFifoReader({
    url: url ?? "fifo:/tmp/ipc-pipes.fifo",
    graceMs,
    onEvent: ({ error, lines }) => warn(`dropped ${lines === 1 ? "a line" : `${lines} lines`}: ${error.message}`),
  });
  closeOnSignal(reader, graceMs + 1_500);
  sayReady("pipes fifo", reader.url);
  for await (const line of reader) say(`received ${printable(Buffer.from(line))}`);
});
