/**
 * Two FIFOs, one for each direction: the example has one, since it goes one way.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { openFifoWriter, startFifoReader } from "@ipc/pipes";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad, parseLoad } from "../tcp-echo/load.ts";
import { makeFolder } from "./folder.ts";

/** `messageBytes`, with one in flight. */
export const setup: VariantSetup = async (options) => {
  const load = parseLoad(options);
  const { folder, remove } = await makeFolder();
  const reader = await startFifoReader({ url: `fifo:${folder}/back` });
  const echo = startProgram(new URL("./fifo-echo.ts", import.meta.url), [`fifo:${folder}/there`, reader.url]);
  const writer = await openFifoWriter(await echo.ready);
  const lines = reader[Symbol.asyncIterator]();
  const message = "a".repeat(load.messageBytes);
  return {
    pids: [echo.pid],
    measure: (request) =>
      measureLoad(load, request, async () => {
        await writer.send(message);
        await lines.next();
      }),
    async close() {
      await writer.close();
      await echo.stop();
      await lines.return?.();
      await reader.close();
      await remove();
    },
  };
};
