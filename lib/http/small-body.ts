// Bodies that are so small that they are copied as a whole.
import type { Answer } from './answer.js';
import type { Content } from './content.js';

/** Bytes. */
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
