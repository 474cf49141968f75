export type { FrameError } from "@ipc/core/framing";
export type { TcpServerEvent } from "@ipc/core/tcp-server";
export { CLIENT_DEFAULTS, type Client, type ClientOptions, connect } from "./client.ts";
export type { LinkEvent } from "./link.ts";
export type { SendOptions } from "./outbox.ts";
export { startPeer } from "./peer.ts";
export { createPeerLog, type PeerEvent } from "./peer-events.ts";
export { type Deliver, PEER_DEFAULTS, type Peer, type PeerOptions } from "./peer-options.ts";
export { MAX_HOPS, type Message } from "./protocol.ts";
