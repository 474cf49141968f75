import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { problem } from "@ipc/core/http-guard";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Book, type BookDraft, searchOf } from "./books.ts";
import type { ChangeFeed } from "./changes.ts";
import { checkWrite, conflict, etagOf, isNotModified, noSuchBook } from "./conditional.ts";
import { idFor } from "./ids.ts";
import { checkContentType, JSON_TYPE, MERGE_PATCH_TYPE, parseJsonBody } from "./json-body.ts";
import { httpError, sendProblem } from "./problems.ts";
import { compileValidator, SCHEMAS } from "./schemas.ts";
import type { Store } from "./store.ts";

/** Adds what there is under `/books`, `/changes` and `/health`. */
export function addRoutes(untyped: FastifyInstance, store: Store, feed: ChangeFeed): void {
  // Bodies, queries and parameters have the types of their schemas.
  const app = untyped.withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(compileValidator);
  app.removeAllContentTypeParsers();
  // Each route has looked at the type before its body is read.
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (_request: unknown, body: Buffer) => parseJsonBody(body));

  app.get("/books", { schema: SCHEMAS.list }, async ({ query }, reply) => {
    const page = await store.list(query);
    if (page.next !== undefined) {
      reply.header("link", `</books${searchOf({ ...query, cursor: page.next })}>; rel="next"`);
    }
    return reply.header("cache-control", "no-store").send(page);
  });

  app.post("/books", { schema: SCHEMAS.create, onRequest: takes(JSON_TYPE) }, async ({ body: draft }, reply) => {
    const book = await store.create(idFor(draft.title, false), draft);
    return sendCreated(reply, book ?? (await store.create(idFor(draft.title, true), draft)));
  });

  app.get("/books/:id", { schema: SCHEMAS.get }, async ({ params: { id }, headers }, reply) => {
    const book = await store.get(id);
    if (!book) throw noSuchBook(id);
    reply.header("etag", etagOf(book)).header("cache-control", "no-cache");
    return isNotModified(headers, book) ? reply.code(304).send() : reply.send(book);
  });

  app.put("/books/:id", { schema: SCHEMAS.put, onRequest: takes(JSON_TYPE) }, async (request, reply) => {
    const { id } = request.params;
    const draft = request.body;
    if (request.headers["if-none-match"] === "*") return sendCreated(reply, await store.create(id, draft));
    return sendChanged(reply, await overwrite(request, ({ version }) => store.replace(id, draft, version)));
  });

  app.patch("/books/:id", { schema: SCHEMAS.patch, onRequest: takes(MERGE_PATCH_TYPE) }, async (request, reply) => {
    const patch = request.body;
    const merge = (book: Book) => store.replace(book.id, merged(book, patch), book.version);
    return sendChanged(reply, await overwrite(request, merge));
  });

  app.delete("/books/:id", { schema: SCHEMAS.remove }, async (request, reply) => {
    await overwrite(request, ({ id, version }) => store.remove(id, version));
    return reply.code(204).send();
  });

  // No HEAD: there would never be an end to the nothing that it brings.
  app.get("/changes", { schema: SCHEMAS.changes, exposeHeadRoute: false }, async (request, reply) => {
    const seen = request.headers["last-event-id"];
    const start = await feed.prepare(typeof seen === "string" && seen !== "" ? seen : undefined);
    reply.hijack();
    feed.follow(reply.raw, start, reply.getHeaders() as Record<string, string>);
  });

  app.get("/health", { schema: SCHEMAS.health }, async (_request, reply) => {
    await store.changeRange();
    return reply.header("cache-control", "no-store").send({ status: "ok" });
  });

  /** Writes what the request knows; again, where it is all the same to it what is there. */
  async function overwrite<T>(
    { params: { id }, headers }: FastifyRequest<{ Params: { id: string } }>,
    write: (book: Book) => Promise<T | undefined>,
  ): Promise<T> {
    for (;;) {
      const book = checkWrite(headers, id, await store.get(id));
      const written = await write(book);
      if (written) return written;
      // Somebody was quicker, between our look and our write.
      if (headers["if-match"] !== "*") throw conflict();
    }
  }
}

/**
 * Answers 405 with `Allow` to the methods that a URL does not have (RFC 9110 section 15.5.6): all URLs that are added from
 * now on.
 *
 * @returns To be called when all are there.
 */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  const urls = new Set<string>();
  app.addHook("onRoute", ({ url }) => void urls.add(url));
  return () => {
    for (const url of [...urls]) {
      const has = (method: string) => app.hasRoute({ method, url });
      const allow = METHODS.filter(has).join(", ");
      const refuse = ({ method }: FastifyRequest, reply: FastifyReply) =>
        sendProblem(reply.header("allow", allow), problem(405, `${method} is not for this URL: it has ${allow}`));
      app.route({ url, method: METHODS.filter((method) => !has(method)), schema: { hide: true }, handler: refuse });
    }
  };
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** RFC 7396 for an object whose members are no objects: `null` removes one. */
function merged({ id: _id, version: _version, updatedAt: _updatedAt, ...draft }: Book, patch: object): BookDraft {
  const members = Object.entries({ ...draft, ...patch }).filter(([, value]) => value !== null);
  return Object.fromEntries(members) as BookDraft;
}

function sendChanged(reply: FastifyReply, book: Book): FastifyReply {
  return reply.header("etag", etagOf(book)).send(book);
}

function sendCreated(reply: FastifyReply, book: Book | undefined): FastifyReply {
  if (!book) throw httpError(412, "There is a book of this id already");
  return sendChanged(reply.code(201).header("location", `/books/${book.id}`), book);
}

function takes(type: typeof JSON_TYPE | typeof MERGE_PATCH_TYPE) {
  return ({ headers }: FastifyRequest, _reply: FastifyReply, done: () => void) => {
    checkContentType(type, headers);
    done();
  };
}
