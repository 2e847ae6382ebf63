// Copies of what is sent: of a small body as a whole, of a large one piece by piece.
import type { Answer } from './answer.js';
import type { Content } from './content.js';

/** Bytes of the largest body that is copied as a whole. */
export const SMALL: number = 2 ** 17;

type Bytes = Buffer<ArrayBuffer>;

/** The body in memory of its own; a promise only if the content cannot be read at once. */
export function copyBody({ body, length }: Answer, content: Content): Bytes | Promise<Bytes> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  let earlier: Promise<void> | undefined;
  for (const segment of body) {
    if (typeof segment === 'string') {
      at += bytes.write(segment, at, 'latin1');
      continue;
    }
    const part = bytes.subarray(at, at + segment.length);
    if (earlier === undefined) earlier = content.read(part, segment.offset) ?? undefined;
    else earlier = earlier.then(() => content.read(part, segment.offset));
    at += segment.length;
  }
  return earlier === undefined ? bytes : earlier.then(() => bytes);
}

/** Bytes of a copy of a piece: as many as a stream of a file reads at a time. A TLS connection keeps about as much for as long as it lives. */
export const COPY: number = 2 ** 16;
/** How many are kept for later responses. */
const KEPT = 16;

const idle: Buffer[] = [];

/** COPY bytes that nobody else uses. */
export function takeCopy(): Buffer {
  return idle.pop() ?? Buffer.allocUnsafeSlow(COPY);
}

/** @param copy - from takeCopy(), of which nobody reads or writes any more */
export function giveCopy(copy: Buffer): void {
  if (idle.length < KEPT) idle.push(copy);
}
