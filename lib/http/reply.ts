// Reply: a response of node:http, node:https or node:http2, and how bytes may be written to it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';

/** A request to a server of node:http, node:https or node:http2. */
export type Ask = IncomingMessage | Http2ServerRequest;

/** The response to it. */
export type Reply = ServerResponse | Http2ServerResponse;

/** RFC 9113, section 7. */
const INTERNAL_ERROR = 2;

/** Of Node's own classes. Loaded by the first request, of a server that has loaded their modules: respond() needs neither. */
let prototypes: { readonly response: ServerResponse; readonly socket: Socket } | undefined;

function prototypesOfNode(): NonNullable<typeof prototypes> {
  prototypes ??= {
    response: process.getBuiltinModule('node:http').ServerResponse.prototype,
    socket: process.getBuiltinModule('node:net').Socket.prototype,
  };
  return prototypes;
}

export function isHttp2(reply: Reply): reply is Http2ServerResponse {
  return 'stream' in reply && typeof reply.stream === 'object';
}

/** Whether write() is Node's, which calls back when the bytes have left this process. Middleware replaces it. */
export function callsBack(reply: Reply): boolean {
  return isHttp2(reply) ? !Object.hasOwn(reply, 'write') : reply.write === prototypesOfNode().response.write;
}

/** Whether the kernel alone reads what is written: no TLS, no HTTP/2, no wrapper. */
export function isPlain({ socket }: Ask, reply: Reply): boolean {
  return !isHttp2(reply) && callsBack(reply) && Object.getPrototypeOf(socket) === prototypesOfNode().socket;
}

/** Ends the connection, or the stream of HTTP/2, so that the client cannot take the response for complete. */
export function breakOff({ socket }: Ask, reply: Reply): void {
  if (isHttp2(reply)) reply.stream.close(INTERNAL_ERROR);
  else socket.destroy();
}
