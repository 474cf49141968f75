import type { Socket } from "node:net";
import type { FrameWriter } from "@ipc/core/write-frames";
import { HEARTBEAT } from "./protocol.ts";

/**
 * Says `HEARTBEAT` at once and then every `heartbeatMs`, and cuts off a peer that is silent: half open, stopped, or no
 * peer at all. Without it a connection whose other end lost its power looks alive for a quarter of an hour and more.
 *
 * @param heartbeatMs A peer that said nothing for two of these times is cut off.
 * @param mustTake Also one that for as long takes nothing of what waits for it.
 */
export function keepAlive(socket: Socket, writer: FrameWriter, heartbeatMs: number, mustTake: boolean): void {
  let heardBytes = socket.bytesRead;
  let takenBytes = 0;
  let silentBeats = 0;
  let stuckBeats = 0;

  function beat() {
    // While we do not read, for want of room, the peer cannot be blamed; nor when it has said that it said all.
    const isExcused = socket.isPaused() || socket.readableEnded || socket.bytesRead > heardBytes;
    silentBeats = isExcused ? 0 : silentBeats + 1;
    heardBytes = socket.bytesRead;
    const taken = socket.bytesWritten - socket.writableLength;
    stuckBeats = socket.writableLength === 0 || taken > takenBytes ? 0 : stuckBeats + 1;
    takenBytes = taken;
    if (silentBeats >= 2) return cutOff("said");
    if (stuckBeats >= 2 && mustTake) return cutOff("took");
    if (socket.writable && !socket.writableNeedDrain) writer.write(HEARTBEAT);
  }

  function cutOff(verb: string) {
    const { bytesRead } = socket;
    // Timers run before what has come meanwhile is read: a busy event loop of ours is no silence of the peer's.
    setImmediate(() => {
      if (socket.bytesRead > bytesRead) return;
      const text = `Cannot keep connection: the peer ${verb} nothing for ${2 * heartbeatMs} ms`;
      socket.destroy(Object.assign(new Error(text), { code: "ETIMEDOUT" }));
    });
  }

  const timer = setInterval(beat, heartbeatMs);
  socket.once("close", () => clearInterval(timer));
  writer.write(HEARTBEAT);
}
