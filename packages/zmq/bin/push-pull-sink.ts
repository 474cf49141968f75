import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { printable, say } from "@ipc/core/terminal";
import { startPull } from "../src/index.ts";

const flags = {
  port: { type: "number", default: PORTS.zmq - 3, max: 65_535, help: "port to listen on; 0 takes a free one" },
  count: { type: "number", default: 0, help: "end after so many results; 0 goes on" },
} as const;
const summary = "Collects results and counts them.";

await runProgram({ name: "zmq push-pull-sink", summary, args: ["url"], flags }, async (values, [given]) => {
  const sink = await startPull({ url: given ?? `tcp://127.0.0.1:${values.port}` });
  closeOnSignal(sink);
  sayReady("zmq sink", sink.url);
  let counted = 0;
  let last: Uint8Array = new Uint8Array(0);
  for await (const results of sink) {
    counted += results.length;
    last = results.at(-1) ?? last;
    if (counted === values.count) await sink.close();
  }
  say(`counted ${counted} results, the last: ${printable(last)}`);
});
