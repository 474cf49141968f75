/** Our own side closed the connection: what Node says of streams that end before their time. */
export function prematureClose(verb: "read" | "write"): Error {
  const text = `Cannot ${verb} message: the connection was closed`;
  return Object.assign(new Error(text), { code: "ERR_STREAM_PREMATURE_CLOSE" });
}
