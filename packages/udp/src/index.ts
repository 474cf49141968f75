export { MAX_DATAGRAM_BYTES, UNFRAGMENTED_BYTES } from "./datagram.ts";
export type { BindOptions } from "./listen.ts";
export {
  type Message,
  RECEIVER_DEFAULTS,
  type Receiver,
  type ReceiverEvent,
  type ReceiverOptions,
  startReceiver,
} from "./receiver.ts";
export { connect } from "./reliable/client.ts";
export {
  CLIENT_DEFAULTS,
  type Client,
  type ClientEvent,
  type ClientOptions,
  type RequestOptions,
} from "./reliable/client-options.ts";
export { startServer } from "./reliable/server.ts";
export {
  type Handler,
  SERVER_DEFAULTS,
  type Server,
  type ServerCounts,
  type ServerEvent,
  type ServerOptions,
} from "./reliable/server-options.ts";
export {
  openSender,
  type PingOptions,
  SENDER_DEFAULTS,
  type Sender,
  type SenderEvent,
  type SenderOptions,
} from "./sender.ts";
export type { StreamCounts } from "./statistics.ts";
export type { Counts } from "./streams.ts";
