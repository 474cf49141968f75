export { createRing, RING_DEFAULTS, type Ring, type RingEvent, type RingOptions } from "./create-ring.ts";
export type { Side } from "./ends.ts";
export { MEMORY_DEFAULTS } from "./memory.ts";
export { createMutex, type Mutex } from "./mutex.ts";
export { openReader, READER_DEFAULTS, type Reader, type ReaderEvent, type ReaderOptions } from "./reader.ts";
export type { RingErrorCode } from "./ring-error.ts";
export { createSemaphore, type Semaphore } from "./semaphore.ts";
export { startThread } from "./thread.ts";
export {
  createUnbounded,
  openUnboundedReader,
  openUnboundedWriter,
  UNBOUNDED_DEFAULTS,
  type UnboundedReader,
  type UnboundedWriter,
  type UnboundedWriterOptions,
} from "./unbounded.ts";
export { openWriter, WRITER_DEFAULTS, type Writer, type WriterEvent, type WriterOptions } from "./writer.ts";
