// SubMappings: mappings of parts of a mapping that is too large for one buffer of this runtime.

/** Bytes from one piece to the next. */
const STEP = 2 ** 30;

interface SubMapping<M> {
  readonly mapping: M;
  /** Where in the whole mapping it starts. */
  readonly from: number;
}

/** Mappings of the parts that were read, kept until the whole closes. */
export class SubMappings<M extends { readonly length: number; close(): void }> {
  readonly #map: (from: number, length: number) => M;
  readonly #pieces: SubMapping<M>[] = [];

  /** @param map - maps a part */
  constructor(map: (from: number, length: number) => M) {
    this.#map = map;
  }

  /** The piece that holds [offset, offset + length) of a mapping of `total` bytes. */
  holding(offset: number, length: number, total: number): SubMapping<M> {
    const holds = ({ mapping, from }: SubMapping<M>) => offset >= from && length <= mapping.length - (offset - from);
    const found = this.#pieces.findLast(holds);
    if (found !== undefined) return found;
    // Pieces overlap by half, so that no part of at most a step reaches past the end of its piece.
    const from = length > STEP ? offset : offset - (offset % STEP);
    const least = offset - from + length;
    const piece = { mapping: this.#map(from, Math.max(least, Math.min(2 * STEP, total - from))), from };
    this.#pieces.push(piece);
    return piece;
  }

  get mappings(): readonly M[] {
    return this.#pieces.map(({ mapping }) => mapping);
  }

  close(): void {
    for (const { mapping } of this.#pieces.splice(0)) mapping.close();
  }
}
