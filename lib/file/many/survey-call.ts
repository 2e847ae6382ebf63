// Calls of the thread pool that look at the pages of many files, and their results.
import { binding } from '../../internal/binding.js';
import type { Span } from '../../internal/range.js';
import { check } from '../../internal/syscall.js';
import type { Found } from '../../mem/residency.js';
import { identityOf, listOf, milliseconds } from '../touch-call.js';
import type { PathLike } from './in-order.js';

const {
  errno: ERRNO, size: SIZE, modifiedSeconds: SECONDS, modifiedNanoseconds: NANOSECONDS, device: DEVICE,
  inodeHigh: INODE_HIGH, inodeLow: INODE_LOW, known: KNOWN, faked: FAKED, runs: RUNS,
} = binding.FACTS.surveyed;
const FIELDS = Object.keys(binding.FACTS.surveyed).length;
const RUN_FIELDS = Object.keys(binding.FACTS.run).length;

/** What a survey found of a file. */
export interface Surveyed extends Found {
  /** Whether only a mapping can answer, or give the right error. The rest means nothing then. */
  readonly failed: boolean;
  /** Bytes in the file. */
  readonly size: number;
  /** When the file was last changed: milliseconds since 1970, as `mtimeMs` of `node:fs`. */
  readonly modified: number;
  /** For a file with several names: 'device:inode'. */
  readonly identity: string | undefined;
}

/** Looks at the part of each file, as far as the file has it. */
export async function survey(paths: readonly PathLike[], { offset, length }: Span): Promise<Surveyed[]> {
  const all: Surveyed[] = [];
  while (all.length < paths.length) {
    const rest = all.length === 0 ? paths : paths.slice(all.length);
    read(check(await binding.surveyAsync(listOf(rest), offset, length), 'open'), all);
  }
  return all;
}

function read(numbers: Float64Array, all: Surveyed[]): void {
  for (let at = 0; at < numbers.length; ) {
    const start = at + FIELDS;
    const end = start + (numbers[at + RUNS] ?? 0) * RUN_FIELDS;
    all.push({
      failed: numbers[at + ERRNO] !== 0,
      size: numbers[at + SIZE] ?? 0,
      modified: milliseconds(numbers[at + SECONDS] ?? 0, numbers[at + NANOSECONDS] ?? 0),
      identity: identityOf(numbers[at + DEVICE] ?? 0, numbers[at + INODE_HIGH] ?? 0, numbers[at + INODE_LOW] ?? 0),
      numbers,
      start,
      end,
      known: numbers[at + KNOWN] ?? 0,
      faked: numbers[at + FAKED] !== 0,
    });
    at = end;
  }
}
