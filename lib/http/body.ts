// A body that is sent piece by piece.
import type { Segment } from './answer.js';
import type { Content } from './content.js';
import { giveCopy, takeCopy } from './copies.js';
import type { Departure } from './departure.js';
import { piecesOf } from './pieces.js';
import { type Ask, type Reply, callsBack, isPlain } from './reply.js';

/** write() and end() as both kinds of responses have them. */
interface Writable {
  write(bytes: Uint8Array | string, done?: (error?: Error | null) => void): boolean;
  end(bytes: Uint8Array | string): unknown;
  once(event: 'drain', listener: () => void): unknown;
  off(event: 'drain', listener: () => void): unknown;
}

/** The kernel found no memory where the view was. */
function isFault(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EFAULT';
}

/** Resolves when the last piece was handed over, or the client has gone away. */
export async function sendBody(request: Ask, response: Reply, body: readonly Segment[], content: Content, departure: Departure): Promise<void> {
  const writable: Writable = response;
  const [inPlace, tellsEnd] = [isPlain(request, response), callsBack(response)];
  let copy: Buffer | undefined;
  let next: string | Uint8Array | undefined;
  for (const piece of piecesOf(body, inPlace ? content.viewable : 0)) {
    if (next !== undefined) await write(next, false);
    if (departure.hasEnded) return;
    if (typeof piece === 'string') {
      next = piece;
    } else if (piece.inPlace) {
      next = undefined;
      content.verify();
      await write(content.view(piece.offset, piece.length), true);
    } else {
      // Written once Node has called back; otherwise nobody knows when it can be used again.
      if (copy === undefined || !tellsEnd) copy = takeCopy();
      next = copy.subarray(0, piece.length);
      await content.read(next, piece.offset);
    }
    if (departure.hasEnded) return;
  }
  if (copy !== undefined && tellsEnd) {
    // Of a response that did not come to its end, the connection may still read.
    if (next !== undefined) await write(next, false);
    if (departure.hasEnded) return;
    giveCopy(copy);
    next = undefined;
  }
  writable.end(next ?? '');

  async function write(bytes: string | Uint8Array, isView: boolean): Promise<void> {
    try {
      if (tellsEnd) await departure.until((done) => writable.write(bytes, done));
      else if (!writable.write(bytes)) await drained();
    } catch (error) {
      // Whatever else is wrong with the connection is the client's departure.
      if (!isView || !isFault(error)) return departed();
      content.verify();
      throw error;
    }
    if (isView) content.verify();
  }

  async function drained(): Promise<void> {
    let listener: (() => void) | undefined;
    await departure.until((done) => writable.once('drain', (listener = () => done())));
    if (listener !== undefined) writable.off('drain', listener);
  }

  function departed(): void {
    departure.hasEnded = true;
  }
}
