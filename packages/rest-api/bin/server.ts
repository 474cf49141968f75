import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say, warn } from "@ipc/core/terminal";
import { TOKEN_ADVICE } from "@ipc/core/token";
import { describeEvent, SERVER_FLAGS as flags, startServer } from "../src/index.ts";

const summary = "A shelf of books: an API, its docs, a page.";
const advice = { ...TOKEN_ADVICE, ERR_DATABASE: "Check --database, or DATABASE_URL" };
const listOf = (text: string) => text.split(",").filter((name) => name !== "");

await runProgram({ name: "rest-api server", summary, flags, advice }, async (values) => {
  const server = await startServer({
    ...values,
    database: values.database ?? process.env["DATABASE_URL"],
    allowedHosts: listOf(values.allowedHosts),
    allowedOrigins: listOf(values.allowedOrigins),
    onEvent: (event) => say(describeEvent(event)),
  });
  closeOnSignal(server, values.graceMs + 1_500);
  sayReady("rest-api", server.url);
  if (values.insecure && !values.token) warn("insecure: whoever reaches this machine may read and write");
});
