import { fileURLToPath } from "node:url";
import helmet from "@fastify/helmet";
import serveStatic from "@fastify/static";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";

/** Collects the schemas of all routes that are added from now on. */
export async function collectOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Books", version: "1.0.0", description: "A shelf of books that several people keep together." },
      tags: [{ name: "books" }, { name: "changes" }, { name: "health" }],
    },
  });
}

/** Adds the page, `/docs` and `/openapi.json`, with headers under which only what this server serves runs. */
export async function addPages(app: FastifyInstance): Promise<void> {
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
  await app.register(servePage);
  await app.register(serveDocs);
}

const servePage: FastifyPluginAsync = async (app) => {
  await app.register(helmet, { ...HELMET, contentSecurityPolicy: { useDefaults: false, directives: PAGE_POLICY } });
  await app.register(serveStatic, {
    root: fileURLToPath(new URL("page/", import.meta.url)),
    // Only the files that are there now get a route.
    wildcard: false,
    cacheControl: false,
    setHeaders: (reply) => void reply.header("cache-control", "no-cache"),
  });
};

const serveDocs: FastifyPluginAsync = async (app) => {
  await app.register(helmet, { ...HELMET, contentSecurityPolicy: { useDefaults: false, directives: DOCS_POLICY } });
  await app.register(swaggerUi, { routePrefix: "/docs", uiConfig: { validatorUrl: null } });
};

const PAGE_POLICY = {
  "default-src": ["'none'"],
  "script-src": ["'self'"],
  "style-src": ["'self'"],
  "img-src": ["'self'", "data:"],
  "connect-src": ["'self'"],
  "base-uri": ["'none'"],
  "form-action": ["'none'"],
  "frame-ancestors": ["'none'"],
};

// Swagger UI sets styles on its elements, and draws with data: URLs.
const DOCS_POLICY = { ...PAGE_POLICY, "style-src": ["'self'", "'unsafe-inline'"], "font-src": ["'self'", "data:"] };

const HELMET = {
  // Plain HTTP is what it speaks: TLS, and what browsers are to remember of it, is for the proxy in front.
  strictTransportSecurity: false,
  referrerPolicy: { policy: "no-referrer" as const },
};
