/**
 * A child's standard input and output.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { startChild } from "@ipc/pipes";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad, parseLoad } from "../tcp-echo/load.ts";
import { pipesBin } from "./folder.ts";

/** `messageBytes`, `inFlight`. */
export const setup: VariantSetup = async (options) => {
  const load = parseLoad(options);
  const pids: number[] = [];
  const child = await startChild([process.execPath, ...process.execArgv, fileURLToPath(pipesBin("child"))], {
    timeoutMs: 30_000,
    onEvent: (event) => event.type === "started" && pids.push(event.pid),
  });
  const message = new Uint8Array(load.messageBytes).fill(0x61);
  await child.request(message);
  return {
    pids,
    measure: (request) => measureLoad(load, request, () => child.request(message)),
    close: () => child.close(),
  };
};
