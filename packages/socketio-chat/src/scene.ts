import type { Child } from "@ipc/core/child";

type Role = "Ann" | "Bob";

/** What they type, and what is seen by whom before the next line is typed. */
const SCENE: { typist: Role; line: string; watchers: Role[]; sees: RegExp }[] = [
  { typist: "Ann", line: "Ann", watchers: ["Ann"], sees: /^in lobby/ },
  { typist: "Bob", line: "Bob", watchers: ["Ann"], sees: /^Bob has joined/ },
  { typist: "Ann", line: "Good day, Bob!", watchers: ["Ann", "Bob"], sees: /^Ann: Good day/ },
  { typist: "Bob", line: "Good day to you.", watchers: ["Ann", "Bob"], sees: /^Bob: Good day/ },
  { typist: "Bob", line: "quit", watchers: ["Ann"], sees: /^Bob has left/ },
  { typist: "Ann", line: "quit", watchers: [], sees: /^/ },
];

/**
 * A server and two terminal clients talk for a moment as people would: for `start --once`.
 *
 * @param start Starts a program of `bin/`.
 * @param show Called with each line that is typed.
 */
export async function playScene(
  start: (role: string, program: string, ...args: string[]) => Child,
  show: (line: string) => void,
): Promise<void> {
  const server = start("srv", "server", "--port", "0");
  // One that has ended has said why.
  const url = await server.ready.catch(() => "");
  if (url === "") return;
  const clients = { Ann: start("Ann", "client", url), Bob: start("Bob", "client", url) };
  await Promise.all(Object.values(clients).map((child) => child.waitForLine(/your name/).catch(() => {})));
  for (const { typist, line, watchers, sees } of SCENE) {
    show(`${typist} │ > ${line}`);
    clients[typist].stdin.write(`${line}\n`);
    await Promise.all(watchers.map((role) => clients[role].waitForLine(sees).catch(() => {})));
  }
  await Promise.all([clients.Ann.exited, clients.Bob.exited]);
  await server.stop();
}
