import type { Header } from "./datagram.ts";

/** What happened to datagrams so far. */
export interface Counts {
  /** Came, each counted once. */
  received: number;
  /** Missing between the lowest and the highest sequence number. One that comes after all is no longer lost. */
  lost: number;
  /** Came behind one that was sent later. They are among the received. */
  reordered: number;
  /** Came again, or more than 4,096 behind, where nobody can tell any more. */
  doubled: number;
}

/** What one sender sent since it opened. */
export interface StreamCounts extends Counts {
  peer: string;
  /** How much the delay varies, in ms (RFC 3550 section 6.4.1). */
  jitterMs: number;
}

/** Counts all streams. Their table is bounded: anybody can begin a stream with every datagram. */
export class Statistics {
  readonly #streams = new Map<string, StreamStatistics>();
  readonly #forgotten: Counts = { ...NOTHING };

  /** Counts a datagram. @returns Whether it is the first copy. */
  add(peer: string, { stream, sequence, sentAtMs }: Header, arrivedAtMs: number): boolean {
    const key = `${peer} ${stream}`;
    const statistics = this.#streams.get(key) ?? this.#begin(key, peer);
    return statistics.add(sequence, sentAtMs, arrivedAtMs);
  }

  /** Sums, and each stream by itself in the order in which they began: the last 1,024 of them. */
  counts(): Counts & { streams: StreamCounts[] } {
    const streams = [...this.#streams.values()].map((statistics) => ({ ...statistics }));
    const sums = { ...this.#forgotten };
    for (const stream of streams) add(sums, stream);
    return { ...sums, streams };
  }

  #begin(key: string, peer: string): StreamStatistics {
    const [oldest] = this.#streams.size >= MAX_STREAMS ? this.#streams : [];
    if (oldest) {
      this.#streams.delete(oldest[0]);
      add(this.#forgotten, oldest[1]);
    }
    const statistics = new StreamStatistics(peer);
    this.#streams.set(key, statistics);
    return statistics;
  }
}

/** Counts one stream by its sequence numbers, which go round at 2^32 (RFC 3550 appendix A.1). */
export class StreamStatistics implements StreamCounts {
  readonly peer: string;
  received = 0;
  lost = 0;
  reordered = 0;
  doubled = 0;
  jitterMs = 0;
  /** Sequence numbers that do not go round. */
  #lowest = 0;
  #highest = -1;
  #transitMs = 0;
  /** 1 for each of the last sequence numbers that came. */
  readonly #seen = new Uint8Array(WINDOW);

  constructor(peer: string) {
    this.peer = peer;
  }

  /** Counts a datagram. @returns Whether it is the first copy. */
  add(sequence: number, sentAtMs: number, arrivedAtMs: number): boolean {
    const transitMs = arrivedAtMs - sentAtMs;
    if (this.received === 0) {
      this.#lowest = sequence;
      this.#highest = sequence - 1;
      this.#transitMs = transitMs;
    }
    // The difference as a signed 32-bit number: right as long as it is less than half way round.
    const ahead = (sequence - this.#highest) | 0;
    const number = this.#highest + ahead;
    if (ahead > 0) {
      for (let skipped = Math.max(1, ahead - WINDOW + 1); skipped < ahead; skipped++) {
        this.#seen[(this.#highest + skipped) & (WINDOW - 1)] = 0;
      }
      this.#highest = number;
    } else if (ahead <= -WINDOW || this.#seen[number & (WINDOW - 1)] === 1) {
      this.doubled++;
      return false;
    } else {
      this.reordered++;
      this.#lowest = Math.min(this.#lowest, number);
    }
    this.#seen[number & (WINDOW - 1)] = 1;
    this.received++;
    this.lost = this.#highest - this.#lowest + 1 - this.received;
    // Two clocks that are set apart do not matter: only the difference of two transits counts.
    this.jitterMs += (Math.abs(transitMs - this.#transitMs) - this.jitterMs) / 16;
    this.#transitMs = transitMs;
    return true;
  }
}

function add(sums: Counts, counts: Counts) {
  for (const name of NAMES) sums[name] += counts[name];
}

const NOTHING: Counts = { received: 0, lost: 0, reordered: 0, doubled: 0 };
const NAMES = ["received", "lost", "reordered", "doubled"] as const;
const MAX_STREAMS = 1_024;

/** 4,096: at 100,000 datagrams a second, what is 40 ms behind; 4 KiB a stream. A power of two: numbers are masked. */
const WINDOW = 4_096;
