// Work on many files in batches: several batches are under way, and their results are delivered in order.
import { demandAccess, validateFileName } from '../../internal/path.js';
import { validateFunction, validateOptions, validateSignal } from '../../internal/validate.js';

/** Files in a batch: enough to make the cost of a call small. */
const BATCH = 256;

/** Threads of libuv. */
const THREADS = 4;
/** Batches at a time: one for each thread, and one whose results are being delivered. */
const AT_ONCE = THREADS + 1;

export type PathLike = string | Uint8Array;

/** A batch, and where it is in the list. */
interface PathBatch<Path extends PathLike, Result> {
  readonly paths: readonly Path[];
  /** The index of the first path. */
  readonly index: number;
  readonly result: Promise<Result>;
}

/** Options of calls for many files. */
export interface ManyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onFile?: ((found: never, index: number) => void) | undefined;
}

/** Checks the options that these calls share; only `known` are permitted. */
export function validateMany<O extends ManyOptions>(options: O, known: readonly (keyof O & string)[]): O {
  validateOptions<O>(options, known);
  const { signal, onFile } = options;
  validateSignal(signal);
  if (onFile !== undefined) validateFunction(onFile, 'options.onFile');
  signal?.throwIfAborted();
  return options;
}

/** Takes paths from an iterable, and checks each. */
class Paths<Path extends PathLike> {
  readonly #files: Iterator<Path>;
  readonly #batch: number;
  taken = 0;
  atEnd = false;

  constructor(files: Iterable<Path>) {
    this.#files = files[Symbol.iterator]();
    // Split even a few files between all threads.
    this.#batch = Array.isArray(files) ? Math.max(1, Math.min(BATCH, Math.ceil(files.length / THREADS))) : BATCH;
  }

  take(): Path[] {
    const paths: Path[] = [];
    while (paths.length < this.#batch && !this.atEnd) {
      // An iterator that throws must not be called again, not even its return().
      this.atEnd = true;
      const { done, value } = this.#files.next();
      if (done === true) break;
      this.atEnd = false;
      validateFileName(value, `files[${this.taken}]`);
      demandAccess(value, 'fs.read');
      this.taken += 1;
      paths.push(value);
    }
    return paths;
  }

  end(): void {
    if (!this.atEnd) this.#files.return?.();
  }
}

/**
 * Starts `work` for each batch of paths, and calls `deliver` with each result, in the order of the paths. Nothing is
 * under way when it settles.
 *
 * @throws the signal's reason, and what `files`, `work` or `deliver` throws
 */
export async function inOrder<Path extends PathLike, Result>(
  files: Iterable<Path>,
  signal: AbortSignal | undefined,
  work: (paths: readonly Path[]) => Promise<Result>,
  deliver: (paths: readonly Path[], result: Result, index: number) => void,
): Promise<void> {
  const paths = new Paths(files);
  const started: PathBatch<Path, Result>[] = [];
  try {
    for (;;) {
      signal?.throwIfAborted();
      while (started.length < AT_ONCE && !paths.atEnd) {
        const index = paths.taken;
        const batch = paths.take();
        if (batch.length === 0) continue;
        const result = work(batch);
        // It is waited for later: until then a failure is nobody's.
        result.catch(() => undefined);
        started.push({ paths: batch, index, result });
      }
      const first = started[0];
      if (first === undefined) return;
      const result = await first.result;
      started.shift();
      signal?.throwIfAborted();
      deliver(first.paths, result, first.index);
    }
  } finally {
    await Promise.allSettled(started.map(({ result }) => result));
    paths.end();
  }
}
