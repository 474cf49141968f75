import { setTimeout as sleep } from "node:timers/promises";
import { defineMethod, type Kind, type Method } from "./method.ts";
import { ERROR_CODES, RpcError } from "./protocol.ts";

const number: Kind<number> = {
  schema: { type: "number" },
  is: (value): value is number => typeof value === "number" && Number.isFinite(value),
};
const numbers: Kind<number[]> = {
  schema: { type: "array", items: number.schema },
  is: (value): value is number[] => Array.isArray(value) && value.every(number.is),
};
/** A minute: a longer nap shows no more. */
const nap: Kind<number> = {
  schema: { type: "integer", minimum: 0, maximum: 60_000 },
  is: (value): value is number => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 60_000,
};
const anything: Kind<unknown> = { schema: {}, is: (_value): _value is unknown => true };

/** The methods of a server that is given none. Your own go to `startServer({ methods })`. */
export const METHODS: Readonly<Record<string, Method>> = {
  add: defineMethod({
    summary: "Adds two numbers.",
    params: { a: number, b: number },
    result: { name: "sum", schema: number.schema },
    handler: ({ a, b }) => finite(a + b),
  }),
  subtract: defineMethod({
    summary: "Subtracts a number from another.",
    params: { minuend: number, subtrahend: number },
    result: { name: "difference", schema: number.schema },
    handler: ({ minuend, subtrahend }) => finite(minuend - subtrahend),
  }),
  sum: defineMethod({
    summary: "Adds numbers. By position they are the parameters themselves: [1, 2, 4].",
    params: { numbers },
    hasRest: true,
    result: { name: "sum", schema: number.schema },
    handler: ({ numbers }) => finite(numbers.reduce((sum, each) => sum + each, 0)),
  }),
  echo: defineMethod({
    summary: "Returns what it gets.",
    params: { value: anything },
    result: { name: "value", schema: anything.schema },
    handler: ({ value }) => value,
  }),
  slow: defineMethod({
    summary: "Takes its time, then tells how long. Stops when the connection of its caller is lost.",
    params: { ms: nap },
    result: { name: "ms", schema: nap.schema },
    handler: ({ ms }, { signal }) => sleep(ms, ms, { signal }),
  }),
};

/** JSON has no infinity: it would become null. */
function finite(result: number): number {
  if (Number.isFinite(result)) return result;
  throw new RpcError(ERROR_CODES.invalidParams, "Invalid params", "the result is above 1.8e308");
}
