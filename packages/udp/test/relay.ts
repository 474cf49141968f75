import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { parseAddress } from "@ipc/core/url";

/** What a relay does to datagrams; each a share from 0 to 1, in each direction. */
export interface Faults {
  seed: number;
  /** Thrown away. */
  lost?: number;
  /** Held back until some that came later have gone. */
  reordered?: number;
  /** Sent twice. */
  doubled?: number;
  /** One bit changed. */
  damaged?: number;
}

/** What a relay did. */
export interface RelayCounts {
  passed: number;
  lost: number;
  reordered: number;
  doubled: number;
  damaged: number;
}

/**
 * A bad network between clients and the server at `target`: for each client a socket of its own, as a router with
 * address translation has. The kernel has no such thing everywhere, and this one does the same with the same seed.
 */
export async function startRelay(t: TestContext, target: string, faults: Faults) {
  const { host, port } = parseAddress(target, "udp");
  const random = createRandom(faults.seed);
  const counts: RelayCounts = { passed: 0, lost: 0, reordered: 0, doubled: 0, damaged: 0 };
  const outside = createSocket("udp4");
  const inside = new Map<number, Socket>();
  const held = new Set<NodeJS.Timeout>();
  outside.bind(0, "127.0.0.1");
  await once(outside, "listening");
  // Never less than the real network would hold: what is lost here is lost by the seed.
  outside.setRecvBufferSize(4_194_304);

  function pass(datagram: Buffer, send: (datagram: Buffer) => void) {
    counts.passed++;
    if (random() < (faults.lost ?? 0)) {
      counts.lost++;
      return;
    }
    if (random() < (faults.damaged ?? 0) && datagram.length > 0) {
      counts.damaged++;
      const at = Math.floor(random() * datagram.length);
      datagram[at] = (datagram[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    }
    if (random() < (faults.doubled ?? 0)) {
      counts.doubled++;
      send(Buffer.from(datagram));
    }
    if (random() >= (faults.reordered ?? 0)) return send(datagram);
    counts.reordered++;
    const timer = setTimeout(
      () => {
        held.delete(timer);
        send(datagram);
      },
      1 + random() * 4,
    );
    held.add(timer);
  }

  outside.on("message", (datagram, from) => {
    let socket = inside.get(from.port);
    if (!socket) {
      socket = createSocket("udp4");
      socket.on("error", () => {});
      socket.on("message", (back) => pass(back, (bytes) => outside.send(bytes, from.port, from.address)));
      inside.set(from.port, socket);
    }
    pass(datagram, (bytes) => socket.send(bytes, port, host));
  });

  t.after(() => {
    for (const timer of held) clearTimeout(timer);
    for (const socket of [outside, ...inside.values()]) socket.close();
  });
  return { url: `udp://127.0.0.1:${outside.address().port}`, counts };
}

/** Numbers from 0 to 1 that look like chance and are the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
