import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { type Child, startProgram } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { noRedis, redisUrl, startRedis } from "./redis.ts";
import { bin, come, freeUrl, type Person, serve, startCable } from "./support.ts";

const timeout = 120_000;
const PEOPLE = 20;
const MESSAGES = 2_000;
const CUTS = 10;

/** 20 people say 100 things each while each one's connection is cut 10 times. */
async function talkThroughCuts(t: TestContext, url: string, onSaid: (said: number) => Promise<void> | void) {
  const cables = await Promise.all(Array.from({ length: PEOPLE }, () => startCable(t, url)));
  const people = await Promise.all(cables.map(({ url }, index) => come(t, url, { name: `P${index}`, waitMs: 30_000 })));
  let said = 0;
  await Promise.all(
    people.map(async ({ client }, index) => {
      const each = MESSAGES / PEOPLE;
      for (let count = 1; count <= each; count++) {
        await client.say(`${index}:${count}`);
        // Spread over the others' messages, so that somebody is always away.
        if ((count + index) % (each / CUTS) === 0) cables[index]?.cut();
        await onSaid(++said);
      }
    }),
  );
  return people;
}

/** Everybody has all of them, each once, in one order for all, and every speaker's in the order they were said. */
async function checkAll(people: readonly Person[]) {
  await until(() => people.every((person) => person.texts().length >= MESSAGES));
  const [first] = people.map((person) => person.texts());
  assert.equal(new Set(first).size, MESSAGES);
  for (const person of people) assert.deepEqual(person.texts(), first);
  for (let index = 0; index < PEOPLE; index++) {
    const own = (first ?? []).filter((text) => text.startsWith(`${index}:`)).map((text) => Number(text.split(":")[1]));
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
      `what P${index} said is in order`,
    );
  }
  const resumed = people.flatMap(({ events }) => events.filter((event) => event.type === "resumed"));
  return { resumed, missed: resumed.reduce((sum, { missed }) => sum + missed, 0) };
}

test("20 people, 2,000 messages, each connection cut 10 times: everybody has each once and in order", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { maxEventsPerSecond: 1_000, keepMessages: MESSAGES });
  const people = await talkThroughCuts(t, url, () => {});
  const { resumed, missed } = await checkAll(people);
  assert.ok(resumed.length >= (PEOPLE * CUTS) / 2, `${resumed.length} came back`);
  assert.ok(missed > 0, "something was said while somebody was away");
  assert.ok(resumed.every(({ isLost, gone }) => !isLost && gone === 0));
  t.diagnostic(`${resumed.length} came back, ${missed} caught up`);
});

test("the same with three server kills: Redis has the history", { timeout }, async (t) => {
  if (noRedis) return t.skip(noRedis);
  const redis = await startRedis(t);
  const url = await freeUrl();
  let server: Child | undefined;
  t.after(() => server?.stop("SIGKILL"));
  const start = async () => {
    const place = ["--port", new URL(url).port, "--redis-url", redisUrl(redis)];
    // Somebody may be away for longer than the others take to say 500 things.
    const limits = ["--max-events-per-second", "1000", "--keep-messages", String(MESSAGES)];
    server = startProgram(bin("server"), [...place, ...limits]);
    await server.ready;
  };
  await start();
  let kills = 0;
  const people = await talkThroughCuts(t, url, async (said) => {
    if (said % (MESSAGES / 4) !== 0 || kills === 3) return;
    kills++;
    await server?.stop("SIGKILL");
    await start();
  });
  const { resumed, missed } = await checkAll(people);
  assert.equal(kills, 3);
  assert.ok(resumed.every(({ isLost, gone }) => !isLost && gone === 0));
  t.diagnostic(`${resumed.length} came back, ${missed} caught up`);
});
