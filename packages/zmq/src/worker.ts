import { BROKER_DEFAULTS } from "./broker.ts";
import { openConnection, type ReachOptions } from "./reach.ts";
import { checkFrame, toErrorFrames } from "./reply.ts";
import type { Handler } from "./server.ts";
import { receive } from "./socket.ts";
import { closeOnce, createConditions } from "./waiting.ts";

/** Options of {@link startWorker}. */
export interface WorkerOptions extends ReachOptions {
  /** What answers a request. It must not keep the process from giving signs of life. @default {() => "Message Received"} */
  handler?: Handler | undefined;
  /** How often to give a sign of life; the broker's. @default {1_000} */
  heartbeatMs?: number | undefined;
}

/** A worker that runs. */
export interface BrokerWorker extends AsyncDisposable {
  readonly url: string;
  /** Finishes what it is at for at most `graceMs`, tells the broker, and ends. */
  close(): Promise<void>;
}

/**
 * Works for a broker, on one request at a time; waits for it to be there, and goes on with the next one after an outage.
 *
 * @param url The broker's for workers.
 */
export async function startWorker(url: string, options: WorkerOptions = {}): Promise<BrokerWorker> {
  const { handler = () => RECEIVED, heartbeatMs = BROKER_DEFAULTS.heartbeatMs } = options;
  const { socket, maxFrameBytes, graceMs, report, end } = await openConnection(
    // What a broker that is gone did not get is no loss.
    ({ Dealer }, settings) => new Dealer({ ...settings, sendTimeout: 0, linger: 250 }),
    url,
    options,
  );
  const { changed, until } = createConditions();
  let isBusy = false;
  let isClosing = false;

  // A sign of life that cannot be sent is none; a reply that cannot be sent is asked for again, of another worker.
  const send = (...frames: (Uint8Array | string)[]) => socket.send(frames).catch(() => {});
  const beat = () => send(isBusy ? "BUSY" : "READY");

  async function work(request: Uint8Array): Promise<(Uint8Array | string)[]> {
    try {
      const reply = await handler(request);
      checkFrame(reply, maxFrameBytes);
      return [reply];
    } catch (error) {
      report({ type: "failed", error: error instanceof Error ? error : new Error(String(error)) });
      return toErrorFrames(error);
    }
  }
  async function serve(): Promise<void> {
    for (let frames = await receive(socket); frames && !isClosing; frames = await receive(socket)) {
      const [kind, id, request] = frames;
      if (String(kind) !== "JOB" || !id || !request) continue;
      isBusy = true;
      const reply = await work(request);
      if (!socket.closed) await send("REPLY", id, ...reply);
      isBusy = false;
      changed();
    }
  }
  const timer = setInterval(beat, heartbeatMs);
  await beat();
  void serve();

  const handle = closeOnce(async () => {
    isClosing = true;
    await until(() => !isBusy, graceMs);
    clearInterval(timer);
    await send("BYE");
    end();
  });
  return { url, ...handle };
}

const RECEIVED = Buffer.from("Message Received");
