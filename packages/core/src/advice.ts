/**
 * Gives errors a program's own advice, where what `runProgram()` says for their code does not fit: to be passed to
 * `catch()`. Errors whose code is not in the table stay as they are.
 *
 * @param advice By code, without a full stop at the end.
 * @example
 * ```ts
 * import { advise } from "@ipc/core/advice";
 * import { describeError } from "@ipc/core/process";
 *
 * const error = Object.assign(new Error("Cannot listen on unix:/tmp/x.sock"), { code: "EADDRINUSE" });
 * await Promise.reject(error)
 *   .catch(advise({ EADDRINUSE: "Choose another path" }))
 *   .catch((advised) => console.log(describeError(advised)));
 * ```
 * ```text
 * Cannot listen on unix:/tmp/x.sock. Choose another path
 * ```
 */
export function advise(advice: Record<string, string>): (error: unknown) => never {
  return (error) => {
    const line = error instanceof Error && "code" in error ? advice[String(error.code)] : undefined;
    if (line === undefined || !(error instanceof Error)) throw error;
    // Without the code: by that, runProgram() would add its own.
    throw new Error(`${error.message}. ${line}`, { cause: error });
  };
}
