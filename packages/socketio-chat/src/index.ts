export { CLIENT_DEFAULTS, type Client, type ClientEvent, type ClientOptions, connect } from "./client.ts";
export { describeEvent, describeServerEvent, escapeText, type ServerEvent } from "./describe.ts";
export { SERVER_DEFAULTS, type ServerOptions } from "./options.ts";
export type { ConversationEvent } from "./page/conversation.js";
export type { History, Message, Notice, Whisper } from "./page/protocol.js";
export { playScene } from "./scene.ts";
export { openSeat, type Seat } from "./seat.ts";
export { type Server, startServer } from "./server.ts";
export { talk } from "./talk.ts";
