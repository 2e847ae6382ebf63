// Seals: operations on a memfd that are forbidden for good, even to its creator.
import { binding } from '../../internal/binding.js';

const { F_SEAL } = binding;

/**
 * An operation that a seal forbids for good. `'shrink'`, `'grow'`: changing the length. `'write'`: changing the
 * bytes; EBUSY while a writable mapping exists anywhere. `'future-write'`: writing, except through existing
 * mappings; Linux 5.1. `'seal'`: adding seals.
 */
export type Seal = 'write' | 'grow' | 'shrink' | 'seal' | 'future-write';

export const SEAL: Readonly<Record<Seal, number>> = {
  write: F_SEAL.WRITE,
  grow: F_SEAL.GROW,
  shrink: F_SEAL.SHRINK,
  seal: F_SEAL.SEAL,
  'future-write': F_SEAL.FUTURE_WRITE,
};

/** The names of the seals in a number of fcntl(2). */
export function sealsOf(bits: number): readonly Seal[] {
  return (Object.keys(SEAL) as Seal[]).filter((seal) => (bits & SEAL[seal]) !== 0);
}
