/**
 * What each route takes and gives: checked at run time, and the source of the OpenAPI document.
 *
 * @module
 */
import type { FastifySchema } from "fastify";
import Type, { type TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Book, BookDraft, BookId, BookPage, BookPatch, BookProblem, ListQuery } from "./books.ts";
import { JSON_TYPE, MERGE_PATCH_TYPE } from "./json-body.ts";

const answer = (description: string, type: string, schema: TSchema, headers: Record<string, string> = {}) => ({
  description,
  headers: Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name, { schema: Type.String(), description: text }]),
  ),
  content: { [type]: { schema } },
});
const header = (description: string) => Type.Optional(Type.String({ description }));

const ETAG = { ETag: "The book's version, for If-Match and If-None-Match" };
const asItIs = answer("As it is now", JSON_TYPE, Book, ETAG);
const created = answer("It is there now", JSON_TYPE, Book, { ...ETAG, Location: "Its URL" });
const refusals = { "4xx": answer("Not done: `detail` says why", "application/problem+json", BookProblem) };
const failures = { "5xx": answer("Not now", "application/problem+json", BookProblem) };
const params = Type.Object({ id: BookId });
const ifMatch = header(
  "The ETag that you got with the book, or * for whatever it is now. 428 without, 412 for another",
);

/** By route. */
export const SCHEMAS = {
  list: {
    summary: "List, search, sort; page by page",
    tags: ["books"],
    querystring: ListQuery,
    response: { 200: answer("One page", JSON_TYPE, BookPage, { Link: "rel=next is the next one" }), ...refusals },
  },
  create: {
    summary: "Add a book; the server chooses its id",
    tags: ["books"],
    consumes: [JSON_TYPE],
    body: BookDraft,
    response: { 201: created, ...refusals },
  },
  get: {
    summary: "Get a book",
    tags: ["books"],
    params,
    headers: Type.Object({ "if-none-match": header("An ETag: 304 when that is still what it is") }),
    response: { 200: asItIs, 304: { description: "You have it", type: "null" }, ...refusals },
  },
  put: {
    summary: "Replace a book; or create one under an id of your own",
    tags: ["books"],
    consumes: [JSON_TYPE],
    params,
    headers: Type.Object({ "if-match": ifMatch, "if-none-match": header("* creates: 412 when there is one already") }),
    body: BookDraft,
    response: { 200: asItIs, 201: created, ...refusals },
  },
  patch: {
    summary: "Change some of it (RFC 7396)",
    tags: ["books"],
    consumes: [MERGE_PATCH_TYPE],
    params,
    headers: Type.Object({ "if-match": ifMatch }),
    body: BookPatch,
    response: { 200: asItIs, ...refusals },
  },
  remove: {
    summary: "Delete a book",
    tags: ["books"],
    params,
    headers: Type.Object({ "if-match": ifMatch }),
    response: { 204: { description: "It is gone", type: "null" }, ...refusals },
  },
  changes: {
    summary: "Follow what happens, as server-sent events",
    description: "`ready`, `resumed`, `reset` (fetch everything again), and `change`, of which each is a Change.",
    tags: ["changes"],
    headers: Type.Object({ "last-event-id": header("What you have seen; browsers send it by themselves") }),
    response: { 200: answer("Without an end", "text/event-stream", Type.String()), ...refusals, ...failures },
  },
  health: {
    summary: "Whether the server and its database answer",
    tags: ["health"],
    response: { 200: answer("They do", JSON_TYPE, Type.Object({ status: Type.Literal("ok") })), ...failures },
  },
} satisfies Record<string, FastifySchema & Record<string, unknown>>;

/** Checks what comes with TypeBox's own compiler, which keeps to Unicode in patterns and converts nothing. */
export function compileValidator({ schema, httpPart }: { schema: unknown; httpPart?: string }) {
  // Headers are documented there and read where they matter.
  if (httpPart === "headers") return (value: unknown) => ({ value });
  const checker = Compile(schema as TSchema);
  const check = (value: unknown) => (checker.Check(value) ? { value } : { error: checker.Errors(value) });
  return httpPart === "querystring" ? (query: unknown) => check(withNumbers(query)) : check;
}

/** A query is text: the one number in it is read as such, and only what is one. */
function withNumbers(query: unknown): unknown {
  const { limit, ...rest } = { ...(query as Record<string, unknown>) };
  if (limit === undefined) return rest;
  return { ...rest, limit: typeof limit === "string" && /^\d{1,9}$/.test(limit) ? Number(limit) : limit };
}
