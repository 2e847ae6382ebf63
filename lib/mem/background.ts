// Long calls off the main thread, piece by piece: between two pieces they can be stopped,
// and report their progress.
import type { Handle } from '../internal/binding.js';
import type { FeatureName } from '../internal/features.js';
import type { Range } from '../internal/range.js';
import { validateFunction, validateOptions, validateSignal } from '../internal/validate.js';
import type { Pages } from './pages.js';
import { check } from '../internal/syscall.js';

/** The progress of a background operation. */
export interface Progress {
  /** Bytes done. */
  readonly done: number;
  /** All bytes of the operation. */
  readonly total: number;
}

/** Options of `flushAsync` and `populateAsync`. */
export interface BackgroundOptions extends Range {
  /** Stops after the piece under way; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each piece. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Bytes in a piece: some tens of milliseconds of disk, and a multiple of 2 MiB huge pages. */
const PIECE = 2 ** 26;

interface Stoppable {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: never) => void) | undefined;
}

/** Checks the options that all background operations share; only `known` are permitted. */
export function validateBackground<O extends Stoppable>(options: O, known: readonly (keyof O & string)[]): O {
  validateOptions<O>(options, known);
  const { signal, onProgress } = options;
  validateSignal(signal);
  if (onProgress !== undefined) validateFunction(onProgress, 'options.onProgress');
  return options;
}

export async function inBackground(
  pages: Pages,
  options: BackgroundOptions = {},
  syscall: string,
  call: (handle: Handle, offset: number, length: number) => Promise<number> | number,
  feature?: FeatureName,
): Promise<void> {
  const { signal, onProgress, ...range } = validateBackground(options, ['offset', 'length', 'signal', 'onProgress']);
  pages.open();
  const { offset, length } = pages.span(range);
  for (let done = 0; done < length; ) {
    signal?.throwIfAborted();
    const piece = Math.min(PIECE, length - done);
    // Ask for the handle for each piece: the mapping may have been closed meanwhile.
    const result = await call(pages.pinnedHandle(), offset + done, piece);
    // If the mapping was closed meanwhile, the result of the piece means nothing.
    pages.open();
    check(result, syscall, feature === undefined ? {} : { feature });
    done += piece;
    onProgress?.({ done, total: length });
  }
  signal?.throwIfAborted();
}
