/** What went wrong with a ring, as the `code` of an error. */
export type RingErrorCode =
  /** The message is above `maxMessageBytes`; as POSIX `mq_send`. */
  | "EMSGSIZE"
  /** Nobody will read it: the readers have closed, or the ring is being closed. */
  | "EPIPE"
  /** The other side is there and did nothing for `timeoutMs` or `idleTimeoutMs`. */
  | "ETIMEDOUT"
  /** Nobody opened the other end within `waitMs`. */
  | "ENOTCONN"
  /** The thread at the other end is gone and did not close it; nobody took its place within `waitMs`. As POSIX robust mutexes. */
  | "EOWNERDEAD"
  /** All ends of this kind are taken. */
  | "EBUSY"
  /** The ring was cut off at the end of `graceMs`. */
  | "ECONNRESET"
  /** The unbounded buffer has grown to its bound. */
  | "ENOBUFS"
  /** What is in the memory no writer of ours wrote. */
  | "ERR_RING_CORRUPT"
  /** A mutex is unlocked by a thread that does not hold it. */
  | "EPERM"
  /** Waiting would block the main thread. */
  | "ERR_MAIN_THREAD"
  /** Not the memory of a ring. */
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
