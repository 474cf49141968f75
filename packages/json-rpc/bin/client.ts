import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { connect, CLIENT_DEFAULTS as defaults, RpcError } from "../src/index.ts";

const flags = {
  method: { type: "text", default: "subtract", help: "what to call" },
  params: { type: "text", default: "[42,23]", help: "JSON: an array or an object" },
  notify: { type: "switch", help: "wants no answer" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  timeoutMs: { type: "number", default: defaults.timeoutMs, min: 1, help: "time for an answer" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;
const program = { name: "json-rpc client", summary: "Calls a method, prints the result.", args: ["url"], flags };
const advice = { ECONNRESET: "Whether it was executed is not known" };
await runProgram({ ...program, advice }, async ({ method, params, notify, ...limits }, [url]) => {
  const onEvent = ({ type, url }: { type: string; url: string }) => type === "waiting" && warn(`waiting for ${url}`);
  const client = await connect(url ?? `http://127.0.0.1:${PORTS["json-rpc-http"]}`, { ...limits, onEvent });
  closeOnSignal(client);
  say(`calling  ${method} ${params}`);
  const result = await client[notify ? "notify" : "call"](method, JSON.parse(params)).catch(explain);
  say(notify ? "sent" : `received ${printable(Buffer.from(JSON.stringify(result)), 10_000)}`);
  await client.close();
});

function explain(error: unknown): never {
  if (!(error instanceof RpcError)) throw error;
  const text = `${error.code} ${error.message}${error.data === undefined ? "" : `: ${JSON.stringify(error.data)}`}`;
  throw new Error(printable(Buffer.from(text)), { cause: error });
}
