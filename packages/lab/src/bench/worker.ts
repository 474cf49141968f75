/**
 * The program of one worker process: loads the module of a variant and measures when it is asked to. Started by
 * `worker-process.ts`, with an IPC channel.
 *
 * @module
 */
import { parseRequest, type WorkerReply, type WorkerRequest } from "./messages.ts";
import { isWrongResult, type MeasurableVariant, type VariantSetup } from "./variant.ts";

let variant: MeasurableVariant | undefined;
let isClosing = false;

process.on("message", (message) => void answer(message));
process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
// The harness is gone (Ctrl-C, a crash): whoever was started here goes as well.
process.on("disconnect", () => {
  if (!isClosing) killGroup();
});

async function answer(message: unknown): Promise<void> {
  try {
    const result = await carryOut(parseRequest(message));
    if (result) reply(result);
    // Not process.exit(): what a variant leaves open is ended, and told, by the harness.
    else process.disconnect();
  } catch (error) {
    const text = messageOf(error);
    reply(isWrongResult(error) ? { is: "wrong", message: text } : { is: "failed", message: text });
  }
}

async function carryOut(request: WorkerRequest): Promise<WorkerReply | undefined> {
  if (request.do === "setup") {
    const setup = await loadSetup(request.module);
    variant = await setup(request.options);
    return { is: "ready", pids: [...(variant.pids ?? [])] };
  }
  if (request.do === "measure") {
    if (!variant) throw new Error("Cannot measure: the variant is not set up");
    const figure = await variant.measure({ forMs: request.forMs });
    if (!(figure > 0 && figure < Infinity)) throw new RangeError(`Cannot use figure: current value is ${figure}`);
    return { is: "figure", figure };
  }
  isClosing = true;
  await variant?.close?.();
  return undefined;
}

async function loadSetup(module: string): Promise<VariantSetup> {
  const exports: { setup?: unknown } = await import(module);
  if (typeof exports.setup === "function") return exports.setup as VariantSetup;
  throw new TypeError(`Cannot use ${module}: it exports no function 'setup'`);
}

function reply(message: WorkerReply): void {
  process.send?.(message);
}

function fail(error: unknown): void {
  process.exitCode = 1;
  // Only once it is sent: an exit at once would lose the reason.
  process.send?.({ is: "failed", message: messageOf(error) } satisfies WorkerReply, () => process.exit(1));
}

function messageOf(error: unknown): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return line;
}

/** This process leads a group of its own (see `worker-process.ts`): its servers are in it. */
function killGroup(): void {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    // Windows has no process groups.
    process.exit(1);
  }
}
