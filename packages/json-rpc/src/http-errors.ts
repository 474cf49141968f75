import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { PROBLEM_JSON, problem } from "@ipc/core/http-guard";

/** What Node's parser refuses never becomes a request: answered on the bare socket, which is then closed. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] = REASONS[error.code ?? ""] ?? [400, "this is no HTTP request"];
  const { title } = problem(status, detail);
  const body = JSON.stringify(problem(status, detail));
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    `content-type: ${PROBLEM_JSON}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

const REASONS: Record<string, [status: number, detail: string]> = {
  HPE_HEADER_OVERFLOW: [431, "the headers are too long"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "the chunk extensions are too long"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request took too long"],
};

/** Of `Expect` there is one value, `100-continue`, which Node answers by itself (RFC 9110 section 10.1.1). */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const body = JSON.stringify(problem(417, "only 100-continue can be expected"));
  const headers = { "content-type": PROBLEM_JSON, "content-length": Buffer.byteLength(body), connection: "close" };
  response.writeHead(417, headers).end(body);
}
