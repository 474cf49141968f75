import { startProgram } from "@ipc/core/child";
import { runProgram } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";

const flags = { once: { type: "switch", help: "accepted by every start; this one always ends by itself" } } as const;
const summary = "Runs both sides as two processes on a free port and types a few lines into each.";

await runProgram({ name: "tcp-talk start", summary, flags }, async () => {
  const run = (role: string, args: string[]) =>
    startProgram(new URL(`${role}.ts`, import.meta.url), args, { onLine: (line) => say(`${role} │ ${line}`) });
  const server = run("server", ["--port", "0"]);
  const client = run("client", [await server.ready]);
  const stop = (signal: NodeJS.Signals) => {
    // Ctrl-C on a terminal reaches them by itself, and a second signal would cut them off.
    if (signal === "SIGTERM" || !process.stdin.isTTY) for (const child of [server, client]) void child.stop();
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
  await Promise.all([server, client].map((child) => child.waitForLine(/connected/).catch(() => {})));

  for (const line of ["client > Good day.", "client > ", "server > Good day to you.", "client > bye"]) {
    const [typist, other] = line.startsWith("client") ? [client, server] : [server, client];
    say(line.replace(" >", " │ >"));
    typist.stdin.write(`${line.slice("client > ".length)}\n`);
    // One that has ended has said why.
    await other.waitForLine(new RegExp(`^${line.slice("client > ".length)}$|said bye`)).catch(() => {});
  }
  const exits = await Promise.all([server.exited, client.exited]);
  if (exits.some(({ code }) => code !== 0)) process.exitCode = 1;
});
