// Departure: whether the client has gone away, or the response has ended.
import type { Http2ServerResponse } from 'node:http2';
import { type Reply, isHttp2 } from './reply.js';

/** Who waits for the end of a connection. A response that waits for earlier ones of its connection is not told. */
const waiting = new WeakMap<object, Set<() => void>>();

interface SocketLike {
  once(event: 'close', listener: () => void): unknown;
  readonly destroyed: boolean;
}

function waitersOf(connection: SocketLike): Set<() => void> {
  let waiters = waiting.get(connection);
  if (waiters === undefined) {
    const all = new Set<() => void>();
    waiting.set(connection, all);
    connection.once('close', () => {
      for (const waiter of all) waiter();
    });
    waiters = all;
  }
  return waiters;
}

export class Departure {
  readonly #reply: Reply;
  readonly #stream: Http2ServerResponse['stream'] | undefined;
  readonly #waiters: Set<() => void> | undefined;
  #waiter: (() => void) | undefined;
  hasEnded = false;

  /** @param connection - of a response that may wait for others, or undefined */
  constructor(reply: Reply, connection: SocketLike | undefined) {
    this.#reply = reply;
    reply.on('close', this.#end);
    reply.on('finish', this.#end);
    // Its stream may wait with 'close' for bytes that nobody reads any more.
    this.#stream = isHttp2(reply) ? reply.stream : undefined;
    this.#stream?.on('aborted', this.#end);
    this.#waiters = connection && waitersOf(connection);
    this.#waiters?.add(this.#end);
    if (reply.destroyed || connection?.destroyed === true) this.hasEnded = true;
  }

  readonly #end = (): void => {
    this.hasEnded = true;
    this.#waiter?.();
  };

  /** Resolves when `start` calls back, or when the response ends. Rejects with what `start` gives to the callback. */
  until(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    if (this.hasEnded) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiter = resolve;
      start((error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  stop(): void {
    this.#reply.off('close', this.#end);
    this.#reply.off('finish', this.#end);
    this.#waiters?.delete(this.#end);
    this.#stream?.off('aborted', this.#end);
    if (this.#stream?.aborted === true) this.#stream.destroy();
  }
}
