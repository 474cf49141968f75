export type { FrameError } from "@ipc/core/framing";
export { REQUESTER_DEFAULTS, type Requester, type RequesterOptions, type RequestOptions } from "@ipc/core/requests";
export { describeSocketEvent, type SocketServer, type SocketServerEvent } from "@ipc/core/socket-server";
export type { Handler } from "./answer.ts";
export { type AnswerOptions, answerParent, type ChildEvent, type ChildOptions, startChild } from "./child-pipe.ts";
export { type FifoReader, type FifoReaderEvent, type FifoReaderOptions, startFifoReader } from "./fifo.ts";
export { FIFO_WRITER_DEFAULTS, type FifoWriter, type FifoWriterOptions, openFifoWriter } from "./fifo-writer.ts";
export { answerFork, startFork } from "./fork-channel.ts";
export {
  CLIENT_DEFAULTS,
  type Client,
  type ClientEvent,
  type ClientOptions,
  connect,
  SERVER_DEFAULTS,
  type ServerOptions,
  startServer,
} from "./unix-socket.ts";
