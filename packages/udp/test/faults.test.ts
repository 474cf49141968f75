import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { startProgram } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import { encodeDatagram, KIND } from "../src/datagram.ts";
import { connect, openSender } from "../src/index.ts";
import { encodePacket, NO_TOKEN, PACKET, parsePacket } from "../src/reliable/packet.ts";
import { bin, bytes, dial, listen, receive, serve, text } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 300_000 : 20_000;
const countingServer = new URL("fixtures/counting-server.ts", import.meta.url);

/** Whatever kind of datagram there is, in both layers, and what is none. */
function everyKind(message: Uint8Array): Buffer[] {
  const datagrams = Object.values(KIND).map((kind) =>
    encodeDatagram({ kind, stream: 1, sequence: 1, sentAtMs: 1 }, message),
  );
  const packets = Object.values(PACKET).map((kind) => encodePacket(kind, 10, 1, NO_TOKEN, message));
  return [...datagrams, ...packets, Buffer.from(message), randomBytes(message.length)];
}

test("nobody is answered with more bytes than came in their name", { timeout }, async (t) => {
  const [{ url: receiverUrl }, { url: serverUrl }] = [await receive(t), await serve(t)];
  for (const url of [receiverUrl, serverUrl]) {
    const socket = await dial(t, url);
    const replies: Buffer[] = [];
    socket.on("message", (reply) => replies.push(reply));
    for (const length of [0, 1, 100, 10_000]) {
      for (const datagram of everyKind(new Uint8Array(length))) {
        socket.send(datagram);
        // Answered behind it, by one or the other.
        socket.send(encodeDatagram({ kind: KIND.ping, stream: 2, sequence: 2, sentAtMs: 2 }, bytes("")));
        socket.send(encodePacket(PACKET.hello, 2, 0, NO_TOKEN));
        await until(() => replies.some((reply) => reply.readUInt32BE(2) === 2 || parsePacket(reply)?.number === 2), 0);
        const [reply, ...more] = replies.splice(0);
        const size = more.length === 0 ? 0 : (reply?.length ?? 0);
        assert.ok(more.length <= 1 && size <= datagram.length, `${size} bytes for ${datagram.length}`);
      }
    }
  }
});

test("two of ours that are made to meet by one datagram with a false source fall silent", { timeout }, async (t) => {
  // A second one at the port from which the first believes it was asked.
  const pairs = [
    {
      first: bin("receiver"),
      ask: encodeDatagram({ kind: KIND.ping, stream: 1, sequence: 1, sentAtMs: 1 }, bytes("?")),
      startSecond: async (port: number) => (await receive(t, { port })).receiver,
    },
    {
      first: countingServer,
      ask: encodePacket(PACKET.hello, 1, 0, NO_TOKEN),
      startSecond: async (port: number) => (await serve(t, { port })).server,
    },
  ];
  for (const { first, ask, startSecond } of pairs) {
    const one = startProgram(first, ["--port", "0"]);
    t.after(() => one.stop("SIGKILL"));
    const url = await one.ready;
    const asker = createSocket("udp4").bind(0, "127.0.0.1");
    await once(asker, "listening");
    const { port } = asker.address();
    // Stopped, so that its answer finds the second one where the question came from.
    process.kill(one.pid, "SIGSTOP");
    await new Promise((resolve) => asker.send(ask, parseAddress(url, "udp").port, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => asker.close(() => resolve()));
    const second = await startSecond(port);
    process.kill(one.pid, "SIGCONT");
    await until(() => second.counts().malformed > 0);
    // Had the second answered, the first would have been asked before this.
    const socket = await dial(t, url);
    for (let round = 0; round < 5; round++) {
      socket.send(ask);
      await once(socket, "message");
    }
    assert.equal(second.counts().malformed, 1, "one answer, and nothing for it");
  }
});

const randomToken = () => randomBytes(12).toString("latin1");

/** A server that welcomes as ours does, then lets the test answer. */
async function impersonate(t: TestContext) {
  const requests: { number: number; from: RemoteInfo }[] = [];
  const token = randomToken();
  const { socket, url } = await listen(t, (socket, datagram, from) => {
    const packet = parsePacket(datagram);
    if (packet?.kind === PACKET.hello) {
      socket.send(encodePacket(PACKET.welcome, packet.number, 0, token), from.port, from.address);
    }
    const isNew = !requests.some(({ number }) => number === packet?.number);
    if (packet?.kind === PACKET.request && isNew) requests.push({ number: packet.number, from });
  });
  return { socket, url, token, requests };
}

test("forged, foreign, late and doubled replies are nobody's: 0 of 100,000 accepted", { timeout }, async (t) => {
  const { socket, url, token, requests } = await impersonate(t);
  const client = await connect(url, { timeoutMs: timeout });
  t.after(() => client.close());
  const replied = client.request(bytes("who answers?"));
  const { number, from } = await until(() => requests[0]);

  // The worst case: the forger knows the request's number and sends from the server's own address.
  for (let count = 0; count < 100_000; count++) {
    const kind = count % 10 === 0 ? PACKET.unknown : PACKET.reply;
    socket.send(encodePacket(kind, number, 0, randomToken(), bytes("forged")), from.port, from.address);
    // A turn of the event loop reads 32: fewer a turn, so that none is lost before it is refused.
    if (count % 25 === 24) await new Promise((resolve) => setImmediate(resolve));
  }
  // From another port even the right one does not count.
  const other = await listen(t, () => {});
  const foreign = encodePacket(PACKET.reply, number, 0, token, bytes("foreign"));
  other.socket.send(foreign, from.port, from.address);
  // Damaged on the way.
  const damaged = encodePacket(PACKET.reply, number, 0, token, bytes("damaged"));
  damaged[damaged.length - 1] = 0;
  socket.send(damaged, from.port, from.address);
  await new Promise((resolve) => setImmediate(resolve));
  for (const message of ["mine", "doubled"]) {
    socket.send(encodePacket(PACKET.reply, number, 0, token, bytes(message)), from.port, from.address);
  }
  assert.equal(text(await replied), "mine");

  const late = client.request(bytes("late"), { timeoutMs: 20 });
  await assert.rejects(late, { code: "ETIMEDOUT" });
  const second = await until(() => requests[1]);
  const next = client.request(bytes("next"));
  const third = await until(() => requests[2]);
  socket.send(encodePacket(PACKET.reply, second.number, 0, token, bytes("late")), from.port, from.address);
  socket.send(encodePacket(PACKET.reply, third.number, 0, token, bytes("in time")), from.port, from.address);
  assert.equal(text(await next), "in time");
});

test("a pong for another question is no answer", { timeout }, async (t) => {
  const { url } = await listen(t, (socket, datagram, from) => {
    const isFirst = datagram.length === 18;
    datagram[1] = KIND.pong;
    // Another stream than that of the one who asks, but for its first question.
    if (!isFirst) datagram.writeUInt32BE((datagram.readUInt32BE(2) + 1) >>> 0, 2);
    socket.send(datagram, from.port, from.address);
  });
  const sender = await openSender(url, { timeoutMs: 100 });
  t.after(() => sender.close());
  await assert.rejects(sender.ping(bytes("?")), { code: "ETIMEDOUT" });
});

test("a request that is copied, replayed or sent with somebody else's token is done once", { timeout }, async (t) => {
  const { server, url } = await serve(t);
  const [socket, thief] = [await dial(t, url), await dial(t, url)];
  const ask = async (from: typeof socket, packet: Buffer) => {
    from.send(packet);
    const [reply] = await once(from, "message");
    return parsePacket(reply);
  };
  const introduce = async () => {
    const { token } = (await ask(socket, encodePacket(PACKET.hello, 1, 0, NO_TOKEN))) ?? { token: NO_TOKEN };
    assert.equal((await ask(socket, encodePacket(PACKET.hello, 2, 0, token)))?.token, token);
    return token;
  };
  const token = await introduce();
  assert.equal(server.counts().sessions, 1, "the first hello alone is not remembered");
  const request = encodePacket(PACKET.request, 1, 1, token, bytes("once"));

  assert.equal((await ask(thief, request))?.kind, PACKET.unknown, "the token is of another address");
  assert.notEqual((await ask(thief, encodePacket(PACKET.hello, 3, 0, token)))?.token, token);
  assert.equal(server.counts().executed, 0);
  for (let copy = 0; copy < 3; copy++) assert.equal((await ask(socket, request))?.kind, PACKET.reply);
  assert.equal(server.counts().executed, 1);

  // Once the client has the reply, a copy that was long on its way is not even answered.
  socket.send(encodePacket(PACKET.done, 2, 2, token));
  socket.send(request);
  const next = await ask(socket, encodePacket(PACKET.request, 2, 2, token, bytes("next")));
  assert.equal(next?.number, 2);

  // A new client at the same port: what is left of the old one on the network is not done again.
  const another = await introduce();
  socket.send(request);
  const reply = await ask(socket, encodePacket(PACKET.request, 1, 1, another, bytes("new")));
  assert.equal(reply && text(reply.message), "new");
  assert.equal(server.counts().executed, 3);
});

test("random bytes of any length break nothing", { timeout }, async (t) => {
  const [{ receiver, url: receiverUrl }, { server, url: serverUrl }] = [await receive(t), await serve(t)];
  const count = isHeavy ? 1_000_000 : 20_000;
  const sockets = [await dial(t, receiverUrl), await dial(t, serverUrl)];
  for (let index = 0; index < count; index++) {
    const noise = randomBytes(randomInt(64));
    // Half of them look like ours at first sight.
    if (index % 2 === 0 && noise.length > 1) noise.set([0xd5 + (index % 4) / 2, randomInt(9)]);
    for (const socket of sockets) socket.send(noise);
    if (index % 25 === 24) await new Promise((resolve) => setImmediate(resolve));
  }
  const sender = await openSender(receiverUrl);
  const client = await connect(serverUrl);
  t.after(() => Promise.all([sender.close(), client.close()]));
  assert.equal(text(await client.request(bytes("still here"))), "still here");
  assert.equal(server.counts().executed, 1);
  const { malformed, received, pings } = receiver.counts();
  assert.equal(malformed + received + pings, count + 1, "all were read, and the ping by which the sender opened");
});
