import { ERROR_CODES, isObject, type Params, RpcError } from "./protocol.ts";

/** Who calls. */
export interface CallContext {
  /** Address and port: `127.0.0.1:54321`. */
  readonly peer: string;
  /** Aborts when the connection is lost on which the answer would go: for methods that can stop. */
  readonly signal: AbortSignal;
}

/**
 * A method: what it returns, or resolves with, is the result; `undefined` becomes null. What it throws is -32603 for
 * the caller, without text or stack, unless it is an {@link RpcError}.
 *
 * @param params As they came: not checked.
 */
export type Method = ((params: Params | undefined, context: CallContext) => unknown) & {
  /** What `rpc.discover` tells about it. */
  readonly doc?: MethodDoc;
};

/** A method as OpenRPC describes it. */
export interface MethodDoc {
  summary: string;
  params: { name: string; required: true; schema: JsonSchema }[];
  paramStructure: "by-name" | "either";
  result: { name: string; schema: JsonSchema };
}

/** A JSON Schema, draft 7. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A kind of value: how it is described, and how it is told from others. */
export interface Kind<T> {
  readonly schema: JsonSchema;
  is(value: unknown): value is T;
}

/** What {@link defineMethod} takes. */
export interface MethodDefinition<P extends Record<string, unknown>> {
  /** One sentence. */
  summary: string;
  /** In the order in which they may be given by position. */
  params: { readonly [K in keyof P]: Kind<P[K]> };
  /** By position, the last parameter takes all that is left. @default {false} */
  hasRest?: boolean;
  result: MethodDoc["result"];
  handler(params: P, context: CallContext): unknown;
}

/**
 * A method whose parameters are checked, by name or by position, before it runs: what does not fit is -32602, with the
 * reason in `data`. `rpc.discover` tells of it.
 */
export function defineMethod<P extends Record<string, unknown>>(definition: MethodDefinition<P>): Method {
  const { summary, result, handler } = definition;
  const kinds = Object.entries<Kind<unknown>>(definition.params);
  const isRest = definition.hasRest === true;
  const params = kinds.map(([name, { schema }]) => ({ name, required: true as const, schema }));
  return Object.assign(
    (given: Params | undefined, context: CallContext) => handler(readParams<P>(kinds, isRest, given), context),
    // OpenRPC has no word for a method that takes any number of parameters by position.
    { doc: { summary, params, paramStructure: isRest ? ("by-name" as const) : ("either" as const), result } },
  );
}

function readParams<P>(kinds: readonly [string, Kind<unknown>][], isRest: boolean, given: Params = []): P {
  const read: Record<string, unknown> = {};
  const isByName = isObject(given);
  const values = isByName || !isRest ? given : withRest(kinds.length, given as readonly unknown[]);
  for (let index = 0; index < kinds.length; index++) {
    const [name, kind] = kinds[index] as [string, Kind<unknown>];
    // Only what the caller gave: a name such as `constructor` finds nothing.
    const key = isByName ? name : index;
    const value = Object.hasOwn(values, key) ? (values as Record<string | number, unknown>)[key] : undefined;
    if (value === undefined) throw invalidParams(`${name} is missing`);
    if (!kind.is(value)) throw invalidParams(`${name} must be ${JSON.stringify(kind.schema)}`);
    read[name] = value;
  }
  const count = isByName ? Object.keys(given).length : (values as readonly unknown[]).length;
  if (count > kinds.length) throw invalidParams(`it takes ${kinds.map(([name]) => name).join(", ")}`);
  return read as P;
}

function withRest(count: number, given: readonly unknown[]): unknown[] {
  return [...given.slice(0, count - 1), given.slice(count - 1)];
}

function invalidParams(why: string): RpcError {
  return new RpcError(ERROR_CODES.invalidParams, "Invalid params", why);
}
