import jayson from "jayson";
import type { CallContext, Method } from "./method.ts";
import { ERROR_CODES, type Params, RpcError } from "./protocol.ts";

/** What bounds the calls, and who is told. */
export interface JaysonOptions {
  /** Calls that run at once; more are answered with -32000. */
  maxCalls: number;
  /** A method threw what is no {@link RpcError}: its caller gets -32603. */
  onThrown(error: Error, method: string, peer: string): void;
  /** So many calls run that more are refused; told once each time it comes to that. */
  onBusy(): void;
}

/** A jayson server with these methods. It answers as the specification says, in its words. */
export function createJaysonServer(methods: Readonly<Record<string, Method>>, options: JaysonOptions): jayson.Server {
  const runner = new Runner(options);
  // A Map: no name finds anything but what was put there, be it `__proto__`.
  const table = new Map(Object.entries(methods).map(([name, method]) => [name, toJayson(name, method, runner)]));
  // A router, since by itself jayson takes no method whose name begins with `rpc.`.
  const router = (name: string) => table.get(name) as jayson.MethodLike;
  const server = new jayson.Server({}, { router });
  Object.assign(server.errorMessages, {
    [ERROR_CODES.invalidRequest]: "Invalid Request",
    [ERROR_CODES.invalidParams]: "Invalid params",
  });
  return server;
}

function toJayson(name: string, method: Method, runner: Runner): jayson.Method {
  function execute(params: Params | undefined, context: CallContext, callback: jayson.JSONRPCCallbackTypePlain) {
    runner.run(name, method, params, context, callback);
  }
  return new jayson.Method(execute as jayson.MethodHandlerContext, { useContext: true });
}

class Runner {
  readonly #options: JaysonOptions;
  #running = 0;
  #isBusy = false;

  constructor(options: JaysonOptions) {
    this.#options = options;
  }

  run(
    name: string,
    method: Method,
    params: Params | undefined,
    context: CallContext,
    callback: jayson.JSONRPCCallbackTypePlain,
  ) {
    if (this.#running >= this.#options.maxCalls) return callback(this.#refuse());
    let result: unknown;
    try {
      result = method(params, context);
    } catch (error) {
      return callback(this.#toError(error, name, context));
    }
    // What is there already is answered at once, together with the rest of this turn.
    if (!isThenable(result)) return callback(null, result);
    this.#running++;
    Promise.resolve(result).then(
      (value) => {
        this.#end();
        callback(null, value);
      },
      (error) => {
        this.#end();
        callback(this.#toError(error, name, context));
      },
    );
  }

  #end() {
    this.#running--;
    this.#isBusy = false;
  }

  #refuse(): jayson.JSONRPCError {
    if (!this.#isBusy) this.#options.onBusy();
    this.#isBusy = true;
    return { code: ERROR_CODES.busy, message: "Server is busy" };
  }

  /** What the caller gets: of an error of ours neither text nor stack. */
  #toError(error: unknown, name: string, context: CallContext): jayson.JSONRPCError {
    if (error instanceof RpcError && Number.isInteger(error.code)) {
      const { code, message, data } = error;
      return { code, message, ...(data === undefined ? {} : { data: data as object }) };
    }
    // A method that stops because its caller is gone is no news.
    if (!context.signal.aborted) {
      const thrown = error instanceof Error ? error : new Error("it threw what is no Error", { cause: error });
      this.#options.onThrown(thrown, name, context.peer);
    }
    return { code: ERROR_CODES.internalError, message: "Internal error" };
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
