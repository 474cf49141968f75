import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { TOKEN_ADVICE } from "@ipc/core/token";
import { CLIENT_DEFAULTS, connect, type PosterEvent, readJson } from "../src/index.ts";

const flags = {
  token: { type: "text", help: "what the server wants to be shown" },
  body: { type: "text", default: '{"one":1,"two":2}', help: "JSON to post" },
  count: { type: "number", default: 1, min: 1, help: "how many times, all at once" },
  key: { type: "text", help: "Idempotency-Key; a new one for each post" },
  timeoutMs: { type: "number", default: CLIENT_DEFAULTS.timeoutMs, min: 1, help: "time for a post" },
  waitMs: { type: "number", default: CLIENT_DEFAULTS.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;
const late = { ERR_POST_FAILED: "Wait longer with --timeout-ms", ERR_POST_UNKNOWN: "Repeat it with that --key" };
const advice = { ...TOKEN_ADVICE, ...late };
const summary = "Posts JSON to a relay, or to a sink, and prints the answer.";

await runProgram({ name: "post-relay client", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const value = readJson("body", values.body);
  const onEvent = ({ type, url }: PosterEvent) => type === "waiting" && warn(`waiting for ${url}`);
  const client = await connect(url ?? `http://127.0.0.1:${PORTS["post-relay"]}`, { ...values, onEvent });
  closeOnSignal(client);
  say(`posting  ${JSON.stringify(value)}${values.count > 1 ? ` (${values.count} times)` : ""}`);
  const posts = Array.from({ length: values.count }, () => client.post(value, { idempotencyKey: values.key }));
  const answers = await Promise.all(posts);
  for (const { status, body } of answers) say(`answered ${status} ${printable(Buffer.from(JSON.stringify(body)))}`);
  await client.close();
});
