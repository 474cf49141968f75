import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { TOKEN_ADVICE } from "@ipc/core/token";
import { type ClientEvent, connect, CLIENT_FLAGS as flags } from "../src/client.ts";

const summary = "Lists, adds, hears of it, changes twice at once, deletes.";
const advice = { ...TOKEN_ADVICE, ERR_RATE_LIMIT: "Wait a minute, or start the server with --rate-limit 0" };

await runProgram({ name: "rest-api client", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const onEvent = ({ type, url }: ClientEvent) => warn(`${type === "waiting" ? "waiting for" : "lost"} ${url}`);
  const client = await connect(url ?? `http://127.0.0.1:${PORTS["rest-api"]}`, { ...values, onEvent });
  closeOnSignal(client);
  const changes = client.follow()[Symbol.asyncIterator]();
  await changes.next();
  const { books } = await client.list({ sort: "year", limit: 3 });
  say(`listed   ${printable(new TextEncoder().encode(books.map(({ title }) => title).join(", ")))}`);
  const seen = await client.create({ title: "The Trial", author: "Franz Kafka", year: 1925, status: "read" });
  say(`created  ${seen.id}: version ${seen.version}`);
  await changes.next().then(() => say("heard    of a change"));
  const read = await client.patch(seen, { rating: 5 });
  say(`changed  to 5 stars: version ${read.version}`);
  const refused = await client.patch(seen, { rating: 1 }).catch(({ code }) => code);
  say(`refused  1 star on version ${seen.version}: ${refused}`);
  await client.remove(read).then(() => say("deleted"));
  await client.close();
});
