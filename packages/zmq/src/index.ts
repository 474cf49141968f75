export { BROKER_DEFAULTS, type Broker, type BrokerOptions, startBroker } from "./broker.ts";
export { CLIENT_DEFAULTS, type Client, type ClientOptions, connect } from "./client.ts";
export {
  type ClientKeys,
  type KeyPair,
  makeKeys,
  readClientKeys,
  readServerKeys,
  type ServerKeys,
  writeKeys,
} from "./curve.ts";
export { describeEvent, type ZmqEvent } from "./events.ts";
export type { ListenOptions } from "./listen.ts";
export {
  type Publication,
  type Publisher,
  type SubscriberOptions,
  type Subscription,
  startPublisher,
  subscribe,
} from "./pub-sub.ts";
export {
  connectPull,
  connectPush,
  type PackOption,
  type Puller,
  type Pusher,
  startPull,
  startPush,
} from "./push-pull.ts";
export type { ReachOptions } from "./reach.ts";
export type { ReplyError } from "./reply.ts";
export { type Handler, type Server, type ServerOptions, startServer } from "./server.ts";
export { isLocal, SOCKET_DEFAULTS, type SocketOptions } from "./socket.ts";
export { type BrokerWorker, startWorker, type WorkerOptions } from "./worker.ts";
