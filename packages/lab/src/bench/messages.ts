/**
 * What the harness and its worker processes tell each other.
 *
 * @module
 */
import type { VariantOptions } from "./variant.ts";

/** From the harness. */
export type WorkerRequest =
  | { do: "setup"; module: string; options: VariantOptions }
  | { do: "measure"; forMs: number }
  | { do: "close" };

/** The answer to each request. */
export type WorkerReply =
  | { is: "ready"; pids: number[] }
  | { is: "figure"; figure: number }
  | { is: "wrong"; message: string }
  | { is: "failed"; message: string };

/** Reads a message of the harness. @throws {TypeError} for anything else. */
export function parseRequest(message: unknown): WorkerRequest {
  const { do: verb, module, options, forMs } = fieldsOf(message);
  if (verb === "close") return { do: verb };
  if (verb === "measure" && typeof forMs === "number") return { do: verb, forMs };
  if (verb === "setup" && typeof module === "string") return { do: verb, module, options: parseOptions(options) };
  throw new TypeError(`Cannot read request: current value is ${JSON.stringify(message)}`);
}

/** Reads a message of a worker. @throws {TypeError} for anything else. */
export function parseReply(message: unknown): WorkerReply {
  const { is, pids, figure, message: text } = fieldsOf(message);
  if (is === "ready" && Array.isArray(pids)) return { is, pids: pids.map(Number) };
  if (is === "figure" && typeof figure === "number") return { is, figure };
  if ((is === "wrong" || is === "failed") && typeof text === "string") return { is, message: text };
  throw new TypeError(`Cannot read reply: current value is ${JSON.stringify(message)}`);
}

function parseOptions(value: unknown): VariantOptions {
  const options: Record<string, string | number | boolean> = {};
  for (const [name, option] of Object.entries(fieldsOf(value))) {
    if (typeof option !== "string" && typeof option !== "number" && typeof option !== "boolean") {
      throw new TypeError(`Cannot read option '${name}': current value is ${JSON.stringify(option)}`);
    }
    options[name] = option;
  }
  return options;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
