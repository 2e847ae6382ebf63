// Seals: what nobody may do to a memfd any more, its creator included.
import { binding } from '../../internal/binding.js';

const { F_SEAL } = binding;

/**
 * `'shrink'`, `'grow'`: the length is fixed. `'write'`: the bytes are; EBUSY while a writable
 * mapping exists anywhere. `'future-write'`: mappings that exist may go on to write, nobody
 * else may start to; Linux 5.1. `'seal'`: no more seals.
 */
export type Seal = 'write' | 'grow' | 'shrink' | 'seal' | 'future-write';

export const SEAL: Readonly<Record<Seal, number>> = {
  write: F_SEAL.WRITE,
  grow: F_SEAL.GROW,
  shrink: F_SEAL.SHRINK,
  seal: F_SEAL.SEAL,
  'future-write': F_SEAL.FUTURE_WRITE,
};

/** The words for a number of fcntl(2). */
export function sealsOf(bits: number): readonly Seal[] {
  return (Object.keys(SEAL) as Seal[]).filter((seal) => (bits & SEAL[seal]) !== 0);
}
