/**
 * Node's own channel between parent and child, with its faster serialization.
 *
 * @module
 */
import { startFork } from "@ipc/pipes";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad, parseLoad } from "../tcp-echo/load.ts";
import { pipesBin } from "./folder.ts";

/** `messageBytes`, `inFlight`. */
export const setup: VariantSetup = async (options) => {
  const load = parseLoad(options);
  const child = startFork(pipesBin("child"));
  const message = new Uint8Array(load.messageBytes).fill(0x61);
  await child.request(message);
  return {
    pids: child.pid === undefined ? [] : [child.pid],
    measure: (request) => measureLoad(load, request, () => child.request(message)),
    close: () => child.close(),
  };
};
