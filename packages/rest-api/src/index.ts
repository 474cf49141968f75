export { Book, BookDraft, BookPage, BookPatch, BookProblem, Change, ListQuery, SORTS, type Sort } from "./books.ts";
export {
  CLIENT_DEFAULTS,
  CLIENT_FLAGS,
  type Client,
  type ClientEvent,
  type ClientOptions,
  connect,
  type Seen,
} from "./client.ts";
export type { AnswerError } from "./client-errors.ts";
export { describeEvent, type ServerEvent } from "./events.ts";
export type { Followed, FollowOptions } from "./follow.ts";
export { SERVER_DEFAULTS, SERVER_FLAGS, type ServerOptions } from "./options.ts";
export { type Server, startServer } from "./server.ts";
