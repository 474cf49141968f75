export {
  type CallOptions,
  CLIENT_DEFAULTS,
  type Client,
  type ClientOptions,
  connect,
} from "./client.ts";
export { describeEvent } from "./describe-event.ts";
export type { BatchRequest } from "./exchange.ts";
export type { ClientEvent } from "./link.ts";
export {
  type CallContext,
  defineMethod,
  type JsonSchema,
  type Kind,
  type Method,
  type MethodDefinition,
  type MethodDoc,
} from "./method.ts";
export { METHODS } from "./methods.ts";
export { ERROR_CODES, type Outcome, type Params, RpcError } from "./protocol.ts";
export { SERVER_DEFAULTS, type Server, type ServerEvent, type ServerOptions, startServer } from "./server.ts";
