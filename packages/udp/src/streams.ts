import type { Header } from "./datagram.ts";
import { type StreamCounts, StreamStatistics } from "./statistics.ts";

/** Counts of all streams together. */
export interface Counts extends Omit<StreamCounts, "jitterMs"> {
  /** Pings that came, answered or not. */
  pings: number;
  /** Datagrams that are none of ours. */
  malformed: number;
  /** Received, but more waited to be read than may wait. */
  dropped: number;
  /** Each stream by itself, in the order in which they began: what one sender sent since it opened. */
  streams: ({ peer: string } & StreamCounts)[];
}

/** A table of streams. It is bounded: anybody can begin a stream with every datagram. */
export interface Streams {
  /** Counts a datagram. @returns Whether it is the first copy. */
  add(peer: string, header: Header, arrivedAtMs: number): boolean;
  counts(): Pick<Counts, "received" | "lost" | "reordered" | "doubled" | "late" | "streams">;
}

/** @param maxStreams Above it the stream that began first is forgotten, but for its part of the sums. */
export function createStreams(maxStreams: number): Streams {
  if (!(maxStreams >= 1)) {
    throw new RangeError(`Cannot use maxStreams: current value is ${maxStreams}, the least is 1`);
  }
  const streams = new Map<string, { peer: string; statistics: StreamStatistics }>();
  let forgotten = NOTHING;

  function begin(key: string, peer: string) {
    const [oldest] = streams.size >= maxStreams ? streams : [];
    if (oldest) {
      streams.delete(oldest[0]);
      forgotten = sum(forgotten, oldest[1].statistics);
    }
    const statistics = new StreamStatistics();
    streams.set(key, { peer, statistics });
    return statistics;
  }

  return {
    add(peer, { stream, sequence, sentAtMs }, arrivedAtMs) {
      const key = `${peer} ${stream}`;
      const statistics = streams.get(key)?.statistics ?? begin(key, peer);
      return statistics.add(sequence, sentAtMs, arrivedAtMs);
    },
    counts() {
      const all = [...streams.values()];
      return {
        ...all.reduce((sums, { statistics }) => sum(sums, statistics), forgotten),
        streams: all.map(({ peer, statistics }) => ({
          peer,
          ...sum(NOTHING, statistics),
          jitterMs: statistics.jitterMs,
        })),
      };
    },
  };
}

const NOTHING = { received: 0, lost: 0, reordered: 0, doubled: 0, late: 0 };

function sum(a: typeof NOTHING, b: typeof NOTHING): typeof NOTHING {
  return {
    received: a.received + b.received,
    lost: a.lost + b.lost,
    reordered: a.reordered + b.reordered,
    doubled: a.doubled + b.doubled,
    late: a.late + b.late,
  };
}
