import assert from "node:assert/strict";
import test from "node:test";
import { writeFrames } from "../src/frames.ts";
import { dialUpgraded, receive, serve } from "./support.ts";

const timeout = 20_000;

test("masked frames are what a server reads, at every length and place", { timeout }, async (t) => {
  const heard: unknown[] = [];
  const { url } = await serve(t, { handler: (message) => (message === "over" ? message : void heard.push(message)) });
  const socket = await dialUpgraded(t, url);
  const sent: string[] = [];
  for (const length of [0, 1, 2, 3, 4, 5, 63, 122, 123, 124, 125, 126, 1_024, 65_533, 65_534, 200_000]) {
    for (let before = 0; before < 9; before++) sent.push("a".repeat(before), "x".repeat(length), "é — 漢 🙂");
  }
  socket.write(
    writeFrames(
      sent.map((text) => JSON.stringify(text)),
      true,
    ),
  );
  socket.write(writeFrames(['"over"'], true));
  await receive(socket, (all) => all.length > 0);
  assert.deepEqual(heard, sent);
});

test("no two frames have the same mask", { timeout }, () => {
  const masks = new Set(Array.from({ length: 5_000 }, () => writeFrames(["a"], true).readInt32LE(2)));
  assert.ok(masks.size > 4_990, `${masks.size} of 5,000`);
});
