import type { Method } from "./method.ts";

/**
 * Describes a server, as `rpc.discover` answers: an OpenRPC document (https://spec.open-rpc.org). A method without a description of its own is listed by its name alone.
 *
 * @param urls Where the server listens.
 */
export function describeServer(methods: Readonly<Record<string, Method>>, urls: readonly string[]) {
  return {
    openrpc: "1.3.2",
    info: { title: "json-rpc", version: "1.0.0" },
    servers: urls.map((url) => ({ name: url.split(":")[0] ?? url, url })),
    methods: Object.entries(methods).map(([name, { doc }]) => ({ name, ...(doc ?? UNDESCRIBED) })),
  };
}

/** OpenRPC takes a method without a result for one that is only notified of. */
const UNDESCRIBED = { params: [], result: { name: "result", schema: {} } };
