import assert from "node:assert/strict";
import { test } from "node:test";
import { PORTS } from "../src/ports.ts";

const timeout = 5_000;

test("the ports are those of the table in the design", { timeout }, () => {
  assert.deepEqual(PORTS, {
    "rest-api": 3000,
    "json-rpc-http": 4000,
    "json-rpc-tcp": 4001,
    "tcp-talk": 5000,
    udp: 5005,
    rabbitmq: 5672,
    "post-relay-sink": 9901,
    "post-relay": 9902,
    "tcp-relay-a": 9903,
    "tcp-relay-b": 9904,
    websocket: 9905,
    zmq: 9999,
    "socketio-chat": 33_000,
    "psutil-stats-agents": 33_001,
    "psutil-stats": 33_002,
    "tcp-echo": 65_432,
  });
});

test("the ports are all different, so that every example can run at once", { timeout }, () => {
  const ports = Object.values(PORTS);
  assert.equal(new Set(ports).size, ports.length);
});

test("the ports are ports: whole numbers from 1 to 65535", { timeout }, () => {
  for (const [name, port] of Object.entries(PORTS)) {
    assert.ok(Number.isInteger(port) && port >= 1 && port <= 65_535, `${name}: ${port}`);
  }
});
