import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { startProgram } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { Redis } from "ioredis";
import { connect, startServer } from "../src/index.ts";
import { noRedis, redisUrl, startRedis } from "./redis.ts";
import { bin, come, serve } from "./support.ts";

const timeout = 60_000;

/** A test with a real Redis of its own; skipped by name where there is none. */
function redisTest(name: string, run: (t: TestContext) => Promise<void>) {
  test(name, { timeout }, async (t) => {
    if (noRedis) return t.skip(noRedis);
    await run(t);
  });
}

redisTest("two servers are one chat: messages, history, people, names, private messages, typing", async (t) => {
  const redis = redisUrl(await startRedis(t));
  const [one, two] = [await serve(t, { redisUrl: redis }), await serve(t, { redisUrl: redis })];
  const ann = await come(t, one.url, { name: "Ann" });
  const bob = await come(t, two.url, { name: "Bob" });
  await ann.saw("notice", ({ notice }) => notice.text === "Bob has joined the chat!");
  assert.deepEqual(bob.client.people.sort(), ["Ann", "Bob"]);
  await ann.client.say("from one");
  await bob.client.say("from two");
  for (const person of [ann, bob]) {
    await until(() => person.texts().length === 2);
    assert.deepEqual(person.texts(), ["from one", "from two"]);
  }
  await assert.rejects(connect(one.url, { name: "bob" }), { code: "ERR_NAME_TAKEN" });
  await ann.client.whisper("Bob", "psst");
  assert.equal((await bob.saw("whisper")).whisper.text, "psst");
  ann.client.typing(true);
  assert.equal((await bob.saw("typing")).name, "Ann");
  const eve = await come(t, two.url, { name: "Eve" });
  await until(() => eve.texts().length === 2);
  assert.deepEqual(eve.client.people.sort(), ["Ann", "Bob", "Eve"]);
  await bob.client.close();
  await ann.saw("notice", ({ notice }) => notice.text === "Bob has left the chat.");
});

redisTest("Redis restarts: clients stay, what is said meanwhile arrives, and nothing is lost", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "chat-redis-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const first = await startRedis(t, { folder });
  const port = Number(new URL(redisUrl(first)).port);
  const servers = [await serve(t, { redisUrl: redisUrl(first) }), await serve(t, { redisUrl: redisUrl(first) })];
  const [ann, bob] = [
    await come(t, servers[0]?.url ?? "", { name: "Ann" }),
    await come(t, servers[1]?.url ?? "", { name: "Bob" }),
  ];
  await ann.client.say("before");
  await first.kill();
  await until(() => servers.every(({ events }) => events.some((event) => event.type === "redis" && !event.isThere)));
  const meanwhile = ann.client.say("meanwhile");
  await startRedis(t, { folder, port });
  assert.equal(await meanwhile, 2, "it counts on");
  await bob.client.say("after");
  for (const person of [ann, bob]) {
    await until(() => person.texts().length === 3);
    assert.deepEqual(person.texts(), ["before", "meanwhile", "after"]);
    assert.ok(person.events.every(({ type }) => type !== "disconnected"));
  }
});

redisTest("what the adapter sends to Redis and does not look after ends no server", async (t) => {
  const redis = redisUrl(await startRedis(t));
  const commands = new Redis(redis);
  t.after(() => commands.disconnect());
  // Refused as it would be by a Redis that goes away in between.
  await commands.acl("SETUSER", "default", "-subscribe");
  const { url } = await serve(t, { redisUrl: redis });
  const ann = await come(t, url, { name: "Ann" });
  await ann.client.say("still here");
  await until(() => ann.texts().length === 1);
});

redisTest("Redis comes back empty: a new epoch, and everybody is told that the history was lost", async (t) => {
  const first = await startRedis(t);
  const { url } = await serve(t, { redisUrl: redisUrl(first) });
  const ann = await come(t, url, { name: "Ann" });
  await ann.client.say("before");
  const port = Number(new URL(redisUrl(first)).port);
  await first.close();
  await startRedis(t, { port });
  assert.equal(await ann.client.say("after"), 1, "it counts anew");
  assert.equal((await ann.saw("resumed")).isLost, true);
  await until(() => ann.texts().length === 2);
  assert.deepEqual(ann.texts(), ["before", "after"]);
});

redisTest("a server that is killed takes nobody's name along: its people leave, or come back elsewhere", async (t) => {
  const redis = redisUrl(await startRedis(t));
  const { url } = await serve(t, { redisUrl: redis });
  const killed = startProgram(bin("server"), ["--port", "0", "--redis-url", redis]);
  t.after(() => killed.stop("SIGKILL"));
  const other = await killed.ready;
  const ann = await come(t, url, { name: "Ann" });
  await come(t, other, { name: "Bob" });
  const eve = await connect(other, { name: "Eve", session: "secret-of-eve" });
  await ann.saw("notice", ({ notice }) => notice.text === "Eve has joined the chat!");
  await killed.stop("SIGKILL");
  await assert.rejects(connect(url, { name: "Eve" }), { code: "ERR_NAME_TAKEN" });
  await come(t, url, { name: "Eve", session: "secret-of-eve" });
  await ann.saw("notice", ({ notice }) => notice.text === "Bob has left the chat.");
  assert.ok(ann.events.every((event) => event.type !== "notice" || event.notice.text !== "Eve has left the chat."));
  await eve.close();
});

redisTest("a server stops, clients go on at the next one: nothing is lost, and no name", async (t) => {
  const redis = redisUrl(await startRedis(t));
  const options = { redisUrl: redis, maxEventsPerSecond: 10_000 };
  const first = await startServer(options);
  const port = Number(new URL(first.url).port);
  const people = await Promise.all(["Ann", "Bob", "Eve"].map((name) => come(t, first.url, { name })));
  const total = 600;
  let said = 0;
  const talking = Promise.all(
    people.map(async ({ client }, index) => {
      for (let count = 1; count <= total / 3; count++) {
        await client.say(`${index}:${count}`);
        said++;
      }
    }),
  );
  await until(() => said > total / 4);
  await first.close();
  const second = await startServer({ ...options, port });
  t.after(() => second.close());
  await talking;
  for (const person of people) {
    await until(() => person.texts().length === total);
    assert.equal(new Set(person.texts()).size, total);
    assert.deepEqual(person.texts(), people[0]?.texts());
    await person.saw("notice", ({ notice }) => notice.kind === "goodbye");
    assert.equal((await person.saw("resumed")).isLost, false);
  }
});

redisTest(
  "a server waits for Redis, and ends with its connections when told to stop while Redis is away",
  async (t) => {
    const redis = await startRedis(t);
    const server = startProgram(bin("server"), ["--port", "0"], { env: { REDIS_URL: redisUrl(redis) } });
    t.after(() => server.stop("SIGKILL"));
    const ann = await come(t, await server.ready, { name: "Ann" });
    await ann.client.say("hi");
    await redis.kill();
    await server.waitForLine(/is gone, trying again/);
    assert.deepEqual(await server.stop("SIGTERM"), { code: 0, signal: null });
    const late = startProgram(bin("server"), ["--port", "0", "--wait-ms", "0", "--redis-url", redisUrl(redis)]);
    t.after(() => late.stop("SIGKILL"));
    assert.deepEqual(await late.exited, { code: 1, signal: null });
    assert.match(
      late.errors.join("\n"),
      /^Cannot connect to tcp:.*Start Redis, or leave out --redis-url and REDIS_URL$/,
    );
  },
);
