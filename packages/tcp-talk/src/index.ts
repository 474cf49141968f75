export type { FrameError } from "@ipc/core/framing";
export type { TcpServer } from "@ipc/core/tcp-server";
export { CLIENT_DEFAULTS, type ClientEvent, type ClientOptions, connect, describeClientEvent } from "./client.ts";
export { TALK_FLAGS, type TalkOptions } from "./limits.ts";
export { BUSY, BYE, escapeLine, WRONG_TOKEN } from "./protocol.ts";
export { openSeat, type Seat, type SeatOptions } from "./seat.ts";
export { describeServerEvent, SERVER_DEFAULTS, type ServerEvent, type ServerOptions, startServer } from "./server.ts";
export type { Talk } from "./talk.ts";
