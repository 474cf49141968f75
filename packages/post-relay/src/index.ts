export { CLIENT_DEFAULTS, type Client, type ClientOptions, connect, type PostOptions } from "./client.ts";
export type { PostError } from "./exchange.ts";
export type { PostAnswer, PostFailure } from "./post-failure.ts";
export { POST_SERVER_DEFAULTS, type PostServer, type PostServerOptions } from "./post-server.ts";
export type { PosterEvent } from "./poster.ts";
export { describeEvent, readJson, SERVER_FLAGS, withLists } from "./program.ts";
export { type RecordedPost, readRecord } from "./record-file.ts";
export { RELAY_DEFAULTS, type RelayEvent, type RelayOptions, startRelay } from "./relay.ts";
export { SINK_DEFAULTS, type SinkEvent, type SinkOptions, startSink } from "./sink.ts";
