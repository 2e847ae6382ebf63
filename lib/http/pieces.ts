// Pieces: in which writes a body is sent.
import type { Segment } from './answer.js';
import { COPY } from './copies.js';

/** Bytes of a write of a view. */
const VIEW = 2 ** 20;
/** Bytes at the end of a body, which are copied. */
const LAST = 2 ** 12;

export interface Piece {
  readonly offset: number;
  readonly length: number;
  readonly inPlace: boolean;
}

/**
 * The last piece is never a view: a response is complete only after all views of it were verified.
 *
 * @param viewable - bytes from the start of the content that may be sent in place
 */
export function* piecesOf(body: readonly Segment[], viewable: number): Generator<string | Piece, void, undefined> {
  for (const [index, segment] of body.entries()) {
    if (typeof segment === 'string') {
      yield segment;
      continue;
    }
    const end = segment.offset + segment.length;
    const endOfViews = Math.min(viewable, index === body.length - 1 ? end - LAST : end);
    for (let offset = segment.offset; offset < end; ) {
      const inPlace = offset < endOfViews;
      const length = inPlace ? Math.min(VIEW, endOfViews - offset) : Math.min(COPY, end - offset);
      yield { offset, length, inPlace };
      offset += length;
    }
  }
}
