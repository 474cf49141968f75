import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeFrame, lengthFraming, lineFraming } from "../src/framing.ts";
import { createRequester, type Link, linkSocket, type RequesterOptions } from "../src/requests.ts";
import { connectTcp } from "../src/sockets.ts";

const timeout = 20_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (message: Uint8Array): string => new TextDecoder().decode(message);
const frame = (message: string): Uint8Array => encodeFrame(lengthFraming, bytes(message));

/** A server that does with its sockets what the test says, and a requester for it. */
async function ask(
  t: TestContext,
  onConnection: (socket: Socket, number: number) => void,
  options: RequesterOptions & { waitMs?: number } = {},
) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket, sockets.push(socket));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const url = `tcp://127.0.0.1:${typeof address === "object" && address?.port}`;
  const links: Link[] = [];
  const open = async (signal: AbortSignal) => {
    const link = linkSocket(await connectTcp(url, { signal, waitMs: options.waitMs }));
    links.push(link);
    return link;
  };
  const requester = await createRequester({ name: url, open }, options);
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await requester.close();
  });
  return { ...requester, url, links, server, sockets };
}

/** A way that ends when the test says so, and whose other side is the test's. */
function openPipes(t: TestContext) {
  // Nothing of it keeps the process alive, as a socket would.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  const [input, output] = [new PassThrough(), new PassThrough()];
  let settle = (_reason: Error) => {};
  const cutOffs: string[] = [];
  const link: Link = {
    peer: "the test",
    input,
    output,
    ended: new Promise((resolve) => {
      settle = resolve;
    }),
    end() {
      settle(new Error("it ended"));
      return Promise.resolve();
    },
    cutOff: (reason) => void cutOffs.push(reason.message),
  };
  return { link, cutOffs, lose: (why: string) => settle(new Error(why)) };
}

function codes(results: PromiseSettledResult<unknown>[]): string[] {
  return results.map((result) => (result.status === "rejected" ? result.reason.code : "answered"));
}

test("each request gets its own reply, whatever the framing and however many at once", { timeout }, async (t) => {
  for (const framing of [lengthFraming, lineFraming]) {
    const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
    t.after(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const url = `tcp://127.0.0.1:${typeof address === "object" && address?.port}`;
    const open = async () => linkSocket(await connectTcp(url));
    const { request, close } = await createRequester({ name: url, framing, open });
    const sent = Array.from({ length: 3_000 }, (_, index) => `message ${index}`);
    assert.deepEqual((await Promise.all(sent.map((one) => request(bytes(one))))).map(text), sent);
    await close();
  }
});

test("connections that are cut at any moment: a request gets its own reply or ECONNRESET, never another's", {
  timeout,
}, async (t) => {
  const { request, sockets } = await ask(t, (socket) => {
    let left = Math.random() * 3_000;
    socket.on("data", (chunk: Uint8Array) => {
      left -= chunk.length;
      // Also in the middle of a reply.
      if (left > 0) socket.write(chunk);
      else socket.write(chunk.subarray(0, chunk.length / 2), () => socket.destroy());
    });
  });
  const counts = { own: 0, lost: 0 };
  const worker = async (name: number) => {
    for (let count = 0; count < 300; count++) {
      const message = `worker ${name} message ${count}`;
      const reply = await request(bytes(message)).catch((error: NodeJS.ErrnoException) => error);
      if (reply instanceof Error) assert.equal(reply.code, "ECONNRESET");
      else assert.equal(text(reply), message);
      counts[reply instanceof Error ? "lost" : "own"]++;
    }
  };
  await Promise.all(Array.from({ length: 10 }, (_, name) => worker(name)));
  assert.equal(counts.own + counts.lost, 3_000);
  assert.ok(counts.own > 0 && counts.lost > 0 && sockets.length > 1);
});

test("a request in the moment in which the connection is lost goes over the next one", { timeout }, async (t) => {
  const { request, links, sockets } = await ask(t, (socket, number) =>
    number === 1 ? socket.resume() : socket.pipe(socket),
  );
  const lost = assert.rejects(request(bytes("sent")), { code: "ECONNRESET" });
  links[0]?.output.destroy();
  assert.equal(text(await request(bytes("not sent"))), "not sent");
  await lost;
  assert.equal(sockets.length, 2);
});

test("a server that closes or resets the connection: told in the same words", { timeout }, async (t) => {
  const ends: ((socket: Socket) => void)[] = [(socket) => socket.end(), (socket) => socket.resetAndDestroy()];
  for (const end of ends) {
    const { request, url } = await ask(t, (socket) => socket.once("data", () => end(socket)));
    const message = `Cannot get reply from ${url}: the server closed the connection`;
    await assert.rejects(request(bytes("?")), { code: "ECONNRESET", message });
  }
});

test("what comes over a lost way is nobody's reply", { timeout }, async (t) => {
  const [first, second] = [openPipes(t), openPipes(t)];
  let opened = 0;
  const open = () => Promise.resolve(opened++ === 0 ? first.link : second.link);
  const { request, close } = await createRequester({ name: "pipes", open }, { timeoutMs: 100 });
  t.after(close);
  await assert.rejects(request(bytes("?")), {
    code: "ETIMEDOUT",
    message: "Cannot get reply from pipes: none came in time",
  });
  assert.deepEqual(
    first.cutOffs.map((why) => why.replace(/\d+/, "N")),
    ["the test said nothing for N ms"],
  );
  const reply = request(bytes("?"));
  first.link.input.push(frame("late"));
  second.link.input.push(frame("its own"));
  assert.equal(text(await reply), "its own");
});

test("what waits for a connection is bounded, and what stops waiting makes room", { timeout }, async (t) => {
  const first = openPipes(t);
  let opened = 0;
  const open = (signal: AbortSignal) =>
    opened++ === 0
      ? Promise.resolve(first.link)
      : new Promise<Link>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { request, close } = await createRequester({ name: "pipes", open }, { timeoutMs: 60, maxInFlightBytes: 1_000 });
  first.lose("gone");
  await first.link.ended;
  const twenty = () => Array.from({ length: 20 }, () => request(new Uint8Array(36)));
  const expected = [...Array(10).fill("ENOTCONN"), ...Array(10).fill("ENOBUFS")];
  assert.deepEqual(codes(await Promise.allSettled(twenty())), expected);
  const controller = new AbortController();
  const aborted = Array.from({ length: 10 }, () => request(new Uint8Array(36), { signal: controller.signal }));
  controller.abort(Object.assign(new Error("enough"), { code: "ENOUGH" }));
  assert.deepEqual(codes(await Promise.allSettled(aborted)), Array(10).fill("ENOUGH"));
  assert.deepEqual(codes(await Promise.allSettled(twenty())), expected, "there was room for ten again");
  const last = assert.rejects(request(bytes("last"), { timeoutMs: 10_000 }), { code: "EPIPE" });
  await close();
  await last;
});

test("what breaks the framing is its own request's error, those behind it are only cut off", { timeout }, async (t) => {
  const { request } = await ask(t, (socket) => socket.once("data", () => socket.write(frame("12345678"))), {
    maxFrameBytes: 4,
  });
  const results = await Promise.allSettled(["1", "2", "3"].map((one) => request(bytes(one))));
  assert.deepEqual(codes(results), ["ERR_FRAME_TOO_LARGE", "ECONNRESET", "ECONNRESET"]);
  await assert.rejects(request(bytes("12345")), { code: "ERR_FRAME_TOO_LARGE" });
});

test("an overdue or aborted request keeps its place: its reply is not taken for the next one's", {
  timeout,
}, async (t) => {
  const { request, sockets } = await ask(t, (socket) =>
    socket.on("data", async (chunk: Uint8Array) => {
      await sleep(60);
      socket.write(chunk);
    }),
  );
  const controller = new AbortController();
  const [late, aborted, next] = [
    request(bytes("late"), { timeoutMs: 20 }),
    request(bytes("aborted"), { signal: controller.signal }),
    request(bytes("next")),
  ];
  controller.abort(Object.assign(new Error("enough"), { code: "ENOUGH" }));
  assert.deepEqual(codes(await Promise.allSettled([late, aborted])), ["ETIMEDOUT", "ENOUGH"]);
  assert.equal(text(await next), "next");
  assert.equal(sockets.length, 1);
});

test("who asks again as soon as connecting has failed tries again; the error is what connecting failed with", {
  timeout,
}, async (t) => {
  const { request, server, sockets, links } = await ask(t, (socket) => socket.pipe(socket), { waitMs: 0 });
  server.close();
  sockets[0]?.destroy();
  await links[0]?.ended;
  const again = request(bytes("?")).catch(() => request(bytes("?")));
  await assert.rejects(again, { code: "ECONNREFUSED" });
});

test("close() lets replies come, refuses more, and cuts off after graceMs", { timeout }, async (t) => {
  const slow = await ask(t, (socket) =>
    socket.on("data", async (chunk: Uint8Array) => {
      await sleep(50);
      socket.write(chunk);
    }),
  );
  const owed = slow.request(bytes("owed"));
  const closing = Promise.all([slow.close(), slow.close()]);
  await assert.rejects(slow.request(bytes("late")), {
    code: "EPIPE",
    message: `Cannot send message to ${slow.url}: it is closed`,
  });
  assert.equal(text(await owed), "owed");
  await closing;
  assert.equal(slow.links[0]?.output.destroyed, true);

  const mute = await ask(t, (socket) => socket.resume(), { graceMs: 50 });
  const hopeless = assert.rejects(mute.request(bytes("?")), {
    code: "ECONNRESET",
    message: `Cannot get reply from ${mute.url}: no reply came within 50 ms of close()`,
  });
  await mute.close();
  await hopeless;
});

test("options that make no sense are refused before anything is opened", { timeout }, async () => {
  let opened = 0;
  const open = () => {
    opened++;
    return Promise.reject(new Error("opened"));
  };
  for (const options of [{ maxFrameBytes: 0 }, { timeoutMs: -1 }, { graceMs: Number.NaN }])
    await assert.rejects(createRequester({ name: "nobody", open }, options), RangeError);
  assert.equal(opened, 0);
  await assert.rejects(createRequester({ name: "nobody", open }, { signal: AbortSignal.abort(new Error("no")) }), {
    message: "no",
  });
});
