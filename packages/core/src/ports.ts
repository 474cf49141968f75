/**
 * The default port of every listener in this repository, all different, so that every example can run at once.
 *
 * @example
 * ```ts
 * import { PORTS } from "@ipc/core/ports";
 *
 * console.log(PORTS["tcp-echo"]);
 * ```
 * ```text
 * 65432
 * ```
 * @module
 */

/** Ports by example, or by example and listener where there are several. */
export const PORTS = {
  // What web frameworks' tutorials use.
  "rest-api": 3000,
  // Next to each other: the same methods over two transports.
  "json-rpc-http": 4000,
  "json-rpc-tcp": 4001,
  // The Python original's.
  "tcp-talk": 5000,
  // The Python wiki's UDP example.
  udp: 5005,
  // IANA: amqp. The broker's own.
  rabbitmq: 5672,
  // As in the original's code; its README says 9903, which is the relay pair's.
  "post-relay-sink": 9901,
  "post-relay": 9902,
  // The Python original's two programs.
  "tcp-relay-a": 9903,
  "tcp-relay-b": 9904,
  // The Python original's.
  websocket: 9905,
  // The Python original's request and reply; the other patterns have the ports below it.
  zmq: 9999,
  // The Python original's.
  "socketio-chat": 33000,
  // The original shares the chat's 33000: moved up, so that both can run.
  "psutil-stats-agents": 33001,
  "psutil-stats": 33002,
  // Real Python's socket tutorial, the original's source.
  "tcp-echo": 65432,
} as const satisfies Record<string, number>;
