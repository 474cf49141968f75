export type { FrameError } from "@ipc/core/framing";
export type { RequestOptions } from "@ipc/core/requests";
export { describeTcpEvent, type TcpServer, type TcpServerEvent } from "@ipc/core/tcp-server";
export { CLIENT_DEFAULTS, type Client, type ClientEvent, type ClientOptions, connect } from "./client.ts";
export type { FramingName } from "./framings.ts";
export { type Handler, SERVER_DEFAULTS, type ServerOptions, startServer } from "./server.ts";
