/**
 * The example as it is: its server program and its client.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connect } from "@ipc/json-rpc";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { callsPerSecond, PARAMS } from "./load.ts";

/** `protocol`: http or tcp; `batch`: calls in each message, and `inFlight` messages at once. */
export const setup: VariantSetup = async ({ protocol, batch = 0, inFlight = 50 }) => {
  const server = startProgram(new URL("../../../json-rpc/bin/server.ts", import.meta.url), ["--port", "0"]);
  const line = await server.waitForLine(new RegExp(`listening on ${protocol}:`));
  const client = await connect(line.split(" ").at(-1) ?? "");
  const request = { method: "subtract", params: PARAMS };
  const requests = Array.from({ length: Number(batch) }, () => request);
  const send = batch ? () => client.batch(requests) : () => client.call("subtract", PARAMS);
  return {
    pids: [server.pid],
    measure: ({ forMs }) => callsPerSecond(forMs, send, { inFlight: Number(inFlight), calls: Number(batch) || 1 }),
    async close() {
      await client.close();
      await server.stop();
    },
  };
};
