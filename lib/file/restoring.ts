// What restore() does: calls of the thread pool, a few at a time, each for a piece of what is
// missing of a file.
import { binding } from '../internal/binding.js';
import type { Span } from '../internal/range.js';
import type { RestoreOptions } from './cache-dump.js';
import type { FileMapping } from './file-mapping.js';
import { Pace } from './pace.js';
import { piecesOf, touchPart } from './touching.js';

/** Pieces read at a time: as many as libuv has threads. */
const AT_ONCE = 4;
/** Pieces that the disk is asked for before they are waited for: it likes company. */
const AHEAD = 64;

type Wishes = { readonly [Name in keyof RestoreOptions]: RestoreOptions[Name] | undefined };

/** One call of restore(). The mapping stays the caller's, who keeps it open. */
export class Restoring {
  readonly #mapping: FileMapping;
  readonly #missing: readonly Span[];
  readonly #wishes: Wishes;
  readonly #pace: Pace | undefined;
  readonly #total: number;
  #done = 0;
  #read = 0;

  /** @param missing - bytes of the file, ascending */
  constructor(mapping: FileMapping, missing: readonly Span[], wishes: Wishes) {
    this.#mapping = mapping;
    this.#missing = missing;
    this.#wishes = wishes;
    this.#pace = Pace.of(wishes.rate);
    this.#total = sum(missing);
  }

  /** @returns bytes read; none are under way when it settles */
  async run(): Promise<number> {
    for (const step of this.#steps()) {
      const [begun, before] = [performance.now(), this.#read];
      await this.#readAll(step);
      this.#pace?.spend(this.#read - before, begun);
      await this.#pace?.pause(this.#wishes.signal);
    }
    return this.#read;
  }

  /** All pieces, or as many at a time as the rate permits. */
  *#steps(): Generator<readonly Span[], void, undefined> {
    const most = this.#pace?.step ?? Infinity;
    let [step, room]: [Span[], number] = [[], most];
    for (const span of this.#missing) {
      for (const piece of piecesOf(span, most)) {
        if (piece.length > room) {
          yield step;
          [step, room] = [[], most];
        }
        step.push(piece);
        room -= piece.length;
      }
    }
    yield step;
  }

  async #readAll(pieces: readonly Span[]): Promise<void> {
    let [next, asked] = [0, 0];
    const reads = async (): Promise<void> => {
      while (next < pieces.length) {
        const piece = pieces[next++] as Span;
        // Where the rate counts, a piece must not be on its way before it is looked at.
        if (this.#pace === undefined) {
          for (const ahead of pieces.slice(asked, next + AHEAD)) startReading(this.#mapping, ahead);
          asked = Math.max(asked, next + AHEAD);
        }
        await this.#readPiece(piece);
      }
    };
    const stop = (error: unknown): never => {
      next = pieces.length;
      throw error;
    };
    // A failure, or the signal, ends them all.
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => reads().catch(stop)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  async #readPiece(piece: Span): Promise<void> {
    const { signal, onProgress } = this.#wishes;
    const { read, error } = await touchPart(this.#mapping.path, piece);
    if (error !== undefined) throw error;
    signal?.throwIfAborted();
    // Of what the disk was asked for ahead some is there by now, and was read all the same.
    this.#read += this.#pace === undefined ? piece.length : read;
    this.#done += piece.length;
    onProgress?.({ done: this.#done, total: this.#total });
  }
}

export function sum(spans: readonly Span[]): number {
  return spans.reduce((bytes, { length }) => bytes + length, 0);
}

/** Asks the disk for the first of it at least. No failure matters: reading it tells. */
function startReading({ pages }: FileMapping, { offset, length }: Span): void {
  binding.madvise(pages.open(), offset, length, binding.MADV.WILLNEED);
}
