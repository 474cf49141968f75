import assert from "node:assert/strict";
import test from "node:test";
import { signalled, until } from "@ipc/core/testing";
import { connect, startPeer } from "../src/index.ts";
import {
  dial,
  frame,
  HELLO,
  impostor,
  message,
  pushUntilStuck,
  range,
  serve,
  startLine,
  startRing,
} from "./support.ts";

const timeout = 60_000;

test("answers to what was not sent, twice the same, and what is no answer: cut off, sent again elsewhere", {
  timeout,
}, async (t) => {
  const wrong = [
    { accepted: [2, 1e15] },
    { accepted: [2, 2] },
    { refused: 7, reason: "?" },
    { accepted: [1] },
    [],
    1,
    "{",
  ];
  const { url, sockets } = await impostor(t, (socket, number) => {
    socket.write(HELLO);
    const answer = wrong[number - 1] ?? { accepted: [1, 1] };
    socket.once("data", () => socket.once("data", () => socket.write(frame(answer))));
  });
  const client = await connect(url, { heartbeatMs: 100 });
  t.after(() => client.close());
  await client.send("patience");
  assert.equal(sockets.length, wrong.length + 1);
});

test("a peer that never says that it is one is sent nothing", { timeout }, async (t) => {
  const seen: Uint8Array[] = [];
  const { url } = await impostor(t, (socket) => socket.on("data", (chunk: Uint8Array) => seen.push(chunk)));
  await assert.rejects(connect(url, { heartbeatMs: 100, waitMs: 0 }), { code: "ETIMEDOUT" });
  const b = await serve(t, { name: "b", next: url, heartbeatMs: 100 });
  void b.peer.send("secret").catch(() => {});
  await b.told("waiting");
  assert.equal(Buffer.concat(seen).includes("secret"), false);
});

test("a sender that takes no answers is not read from, then cut off", { timeout }, async (t) => {
  const { url, told, count } = await serve(t, { heartbeatMs: 200 });
  const { socket } = await dial(t, url);
  socket.pause();
  // Each is refused, and so has an answer of its own.
  const piece = Buffer.concat(Array.from({ length: 1_000 }, () => frame("1")));
  await pushUntilStuck(socket, 200_000_000, () => piece);
  assert.match((await told("dropped")).error.message, /the peer took nothing for 400 ms/);
  assert.equal(count("dropped"), 1);
});

test("a sender that half-closes still gets its answers", { timeout }, async (t) => {
  const { promise: gate, resolve: open } = signalled();
  const { url } = await serve(t, { onMessage: () => gate, heartbeatMs: 100 });
  const { socket, answered } = await dial(t, url);
  socket.end(frame(message("last-words")));
  // Longer than a silent peer may live: it has said that it says no more.
  await new Promise((resolve) => setTimeout(resolve, 400));
  open();
  assert.deepEqual(await answered(1), ["accepted"]);
});

test("a message that comes again while it is passed on is passed on once, and each sender gets the answer", {
  timeout,
}, async (t) => {
  const { promise: gate, resolve: open } = signalled();
  const { relay, final } = await startLine(t, { final: { onMessage: () => gate } });
  const senders = await Promise.all(range(3).map(() => dial(t, relay.url)));
  for (const { socket } of senders) socket.write(frame(message("same")));
  await relay.until(() => relay.count("double") === 2);
  senders[1]?.socket.destroy();
  open();
  assert.deepEqual(await senders[0]?.answered(1), ["accepted"]);
  assert.deepEqual(await senders[2]?.answered(1), ["accepted"]);
  assert.equal(relay.count("passed"), 1);
  assert.equal(final.received.length, 1);
});

test("the same message without end from one connection is bounded as others are", { timeout }, async (t) => {
  const { url } = await serve(t, { onMessage: () => new Promise(() => {}), graceMs: 0, windowBytes: 100_000 });
  const { socket } = await dial(t, url);
  const taken = await pushUntilStuck(socket, 50_000_000, () =>
    Buffer.concat(Array.from({ length: 500 }, () => frame(message("same")))),
  );
  assert.ok(taken < 20_000_000, `${taken} bytes were taken`);
});

test("a sender that dies again and again leaves nothing behind, while nobody takes what it sends", {
  timeout,
}, async (t) => {
  const { url, until, count, events } = await serve(t, {
    next: "tcp://127.0.0.1:1",
    windowBytes: 1_000,
    heartbeatMs: 50,
  });
  const come = async (ids: readonly string[]) => {
    const { socket } = await dial(t, url);
    const before = count("dropped");
    const came = count("passed") + count("double");
    socket.write(Buffer.concat(ids.map((id) => frame(message(id)))));
    await until(() => count("passed") + count("double") === came + ids.length);
    socket.resetAndDestroy();
    await until(() => count("dropped") > before);
  };
  for (let time = 0; time < 100; time++) await come(["same"]);
  // Of what the dead wait for nothing is left: there is room.
  const { socket } = await dial(t, url);
  for (const id of ["one", "two"]) {
    socket.write(frame(message(id)));
    await until(() => events.some((event) => event.type === "passed" && event.message.id === id));
  }
  // There is none any more, and nobody is read from: they are let go all the same.
  for (let time = 0; time < 5; time++) await come(range(100));
});

test("whatever a handler throws, its message is refused once: no error, no text, a text without end", {
  timeout,
}, async (t) => {
  const thrown = ["no", undefined, Object.create(null), new Error(`\u001b[2J${"x".repeat(2_000_000)}`)];
  const expected = ["no", "no reason was given", "no reason was given", `?[2J${"x".repeat(196)}`];
  for (const [index, what] of thrown.entries()) {
    for (const onMessage of [() => Promise.reject(what), throwing(what)]) {
      let calls = 0;
      const final = await startPeer({
        onMessage() {
          calls++;
          return onMessage();
        },
      });
      const client = await connect(final.url);
      await assert.rejects(client.send("?", { id: "1" }), {
        message: `Cannot deliver message 1: ${expected[index]}`,
        code: "ERR_REFUSED",
      });
      assert.equal(calls, 1);
      await client.close();
      await final.close();
    }
  }
  t.diagnostic(`${thrown.length} things that are thrown, at once and later: each refused once`);
});

test("a next address that never comes, or is none, is told; messages wait and close() is done", {
  timeout,
}, async (t) => {
  for (const next of [Promise.reject(new Error("nobody knows")), Promise.resolve("http://127.0.0.1")]) {
    const { peer, told } = await serve(t, { next });
    const sent = assert.rejects(peer.send("waits"), { code: "EPIPE" });
    const { error } = await told("waiting");
    assert.match(error.message, /^nobody knows$|^Cannot use address 'http:\/\/127\.0\.0\.1'/);
    await peer.close();
    await sent;
  }
});

function throwing(what: unknown): () => never {
  return () => {
    throw what;
  };
}

test("refusals of strangers say nothing that a terminal obeys", { timeout }, async (t) => {
  const { url } = await impostor(t, (socket) => {
    socket.write(HELLO);
    socket.once("data", () =>
      socket.once("data", () => socket.write(frame({ refused: 1, reason: `\u001b[2J${"x".repeat(10_000)}` }))),
    );
  });
  const client = await connect(url, { heartbeatMs: 50 });
  t.after(() => client.close());
  await assert.rejects(client.send("?", { id: "1" }), {
    message: `Cannot deliver message 1: ?[2J${"x".repeat(196)}`,
  });
});

test("a peer of a ring dies for good: messages wait, its name may be taken by another", { timeout }, async (t) => {
  const [a, b] = await startRing(t, ["a", "b"]);
  assert.ok(a && b);
  await a.peer.close();
  const sent = b.peer.send("waits");
  await b.told("waiting");
  const again = await serve(t, { name: "a", port: Number(new URL(a.url).port), next: b.url });
  await sent;
  assert.equal(again.count("passed"), 1);
});

test("a listener of events that throws is warned of, and breaks nothing", { timeout }, async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(warning.message);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const { url } = await serve(t);
  const client = await connect(url, {
    onEvent() {
      throw new Error("Cannot write to the log");
    },
  });
  t.after(() => client.close());
  await client.send("all the same");
  await until(() => warnings.includes("Cannot write to the log"));
});
