// Calls of the thread pool that look at the pages of many files, and their results.
import { binding } from '../../internal/binding.js';
import type { Span } from '../../internal/range.js';
import { check } from '../../internal/syscall.js';
import type { FoundRuns } from '../../mem/residency.js';
import { identityOf, listOf, milliseconds } from '../touch-call.js';
import { type ManyOptions, type PathLike, inOrder } from './in-order.js';

const {
  errno: ERRNO, size: SIZE, modifiedSeconds: SECONDS, modifiedNanoseconds: NANOSECONDS, device: DEVICE,
  inodeHigh: INODE_HIGH, inodeLow: INODE_LOW, known: KNOWN, faked: FAKED, runs: RUNS,
} = binding.FACTS.surveyed;
const FIELDS = Object.keys(binding.FACTS.surveyed).length;
const RUN_FIELDS = Object.keys(binding.FACTS.run).length;

/** What a survey found of a file. */
export interface Surveyed extends FoundRuns {
  /** Whether only a mapping can answer, or give the right error. The rest means nothing then. */
  readonly failed: boolean;
  /** Bytes in the file. */
  readonly size: number;
  /** When the file was last changed: milliseconds since 1970, as `mtimeMs` of `node:fs`. */
  readonly modified: number;
  /** For a file with several names: 'device:inode'. */
  readonly identity: string | undefined;
}

/** Numbers of files. */
export interface FileCounts {
  /** All files, including those that failed. */
  readonly files: number;
  readonly failed: number;
}

/** Looks at the part of each file, as far as the file has it. @returns what {@link eachSurveyed} reads */
async function survey(paths: readonly PathLike[], { offset, length }: Span): Promise<readonly Float64Array[]> {
  const all: Float64Array[] = [];
  for (let done = 0; done < paths.length; ) {
    const rest = done === 0 ? paths : paths.slice(done);
    const numbers = check(await binding.surveyAsync(listOf(rest), offset, length), 'open');
    for (let at = 0; at < numbers.length; at = endOf(numbers, at)) done += 1;
    all.push(numbers);
  }
  return all;
}

/** Where the results of the file end that begin at `at`. */
function endOf(numbers: Float64Array, at: number): number {
  return at + FIELDS + (numbers[at + RUNS] ?? 0) * RUN_FIELDS;
}

/** Calls `tell` for each file. One by one: objects that live long cost more than everything else here. */
function eachSurveyed(results: readonly Float64Array[], tell: (found: Surveyed, i: number) => void): void {
  let i = 0;
  for (const numbers of results) {
    for (let at = 0; at < numbers.length; at = endOf(numbers, at)) tell(surveyedAt(numbers, at), i++);
  }
}

function surveyedAt(numbers: Float64Array, at: number): Surveyed {
  return {
    failed: numbers[at + ERRNO] !== 0,
    size: numbers[at + SIZE] ?? 0,
    modified: milliseconds(numbers[at + SECONDS] ?? 0, numbers[at + NANOSECONDS] ?? 0),
    identity: identityOf(numbers[at + DEVICE] ?? 0, numbers[at + INODE_HIGH] ?? 0, numbers[at + INODE_LOW] ?? 0),
    numbers,
    start: at + FIELDS,
    end: endOf(numbers, at),
    known: numbers[at + KNOWN] ?? 0,
    faked: numbers[at + FAKED] !== 0,
  };
}

/** Surveys the files in batches, and tells `options.onFile` in their order what `describe` makes of each. */
export async function surveyAll<Path extends PathLike, Found extends { readonly error?: Error }>(
  files: Iterable<Path>,
  part: Span,
  { signal, onFile }: { readonly signal?: ManyOptions['signal']; readonly onFile?: ((found: Found, index: number) => void) | undefined },
  describe: (path: Path, found: Surveyed) => Found,
): Promise<FileCounts> {
  const counts = { files: 0, failed: 0 };
  await inOrder(
    files,
    signal,
    (paths) => survey(paths, part),
    (paths, results, index) => {
      eachSurveyed(results, (found, i) => {
        const one = describe(paths[i] as Path, found);
        counts.files += 1;
        if (one.error !== undefined) counts.failed += 1;
        onFile?.(one, index + i);
      });
    },
  );
  return counts;
}
