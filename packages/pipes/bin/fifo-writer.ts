import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { FIFO_WRITER_DEFAULTS, openFifoWriter } from "../src/index.ts";

const defaults = FIFO_WRITER_DEFAULTS;
const flags = {
  message: { type: "text", default: "Hello, reader !", help: "the line to write" },
  count: { type: "number", default: 1, min: 1, max: 10_000, help: "how many times" },
  timeoutMs: { type: "number", default: defaults.timeoutMs, min: 1, help: "time to wait for room in the FIFO" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a reader; 0 fails at once" },
} as const;
const summary = "Writes a line into a FIFO (fifo:/tmp/ipc-pipes.fifo). Nobody answers.";
const START_FIRST = "Start the reader first, or wait longer with --wait-ms";
const ETIMEDOUT = "Wait longer with --timeout-ms";
const advice = { ENOENT: START_FIRST, ENXIO: START_FIRST, ETIMEDOUT, ERR_FRAME_TOO_LARGE: "Write several lines" };

await runProgram({ name: "pipes fifo-writer", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const writer = await openFifoWriter(url ?? "fifo:/tmp/ipc-pipes.fifo", {
    ...values,
    onEvent: ({ error }) => warn(`waiting: ${error.message}`),
  });
  closeOnSignal(writer);
  say(`sending  ${printable(Buffer.from(values.message))}`);
  for (let sent = 0; sent < values.count; sent++) await writer.send(values.message);
  await writer.close();
});
