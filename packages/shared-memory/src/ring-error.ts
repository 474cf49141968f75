/** What went wrong, as the `code` of an error; README, "Use it in your code", says what to do then. */
export type RingErrorCode =
  | "EMSGSIZE"
  | "EPIPE"
  | "ETIMEDOUT"
  | "ENOTCONN"
  /** A thread is gone and did not close its end; as POSIX robust mutexes. */
  | "EOWNERDEAD"
  | "EBUSY"
  | "ECONNRESET"
  | "ENOBUFS"
  | "EPERM"
  | "ERR_RING_CORRUPT"
  | "ERR_MAIN_THREAD"
  | "ERR_INVALID_ARG_VALUE";

/** An error with its code and its numbers. */
export function ringError(
  code: RingErrorCode,
  text: string,
  Kind: new (text: string) => Error = Error,
  fields: Record<string, number> = {},
): Error & { code: RingErrorCode } {
  return Object.assign(new Kind(text), { code, ...fields });
}
