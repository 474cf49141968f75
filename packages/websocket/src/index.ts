export { type Client, connect } from "./client.ts";
export { CLIENT_DEFAULTS, type ClientOptions } from "./client-options.ts";
export { type ClientEvent, describeClientEvent, describeServerEvent, type ServerEvent } from "./events.ts";
export { SERVER_DEFAULTS, type ServerOptions } from "./options.ts";
export type { Handler, Peer } from "./peer.ts";
export { ECHO, type Protocol, parseMessage, SESSION } from "./protocol.ts";
export { type Server, startServer } from "./server.ts";
