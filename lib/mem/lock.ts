// Keeping pages in memory: mlock(2).
import { binding } from '../internal/binding.js';
import type { Range } from '../internal/range.js';
import { lockRemedy } from '../internal/remedy.js';
import { check } from '../internal/syscall.js';
import { validateBoolean, validateOptions } from '../internal/validate.js';
import type { Pages } from './pages.js';

/** Options of {@link Mapping.lock}. */
export interface LockOptions extends Range {
  /** Lock each page when it is first touched, instead of reading all into memory now. Linux 4.4. @default false */
  readonly onFault?: boolean | undefined;
}

export function lock(pages: Pages, options: LockOptions): void {
  validateOptions<LockOptions>(options, ['offset', 'length', 'onFault']);
  const { onFault = false, ...range } = options;
  validateBoolean(onFault, 'options.onFault');
  const { offset, length } = pages.span(range);
  const handle = pages.pinnedHandle();
  if (length === 0) return;
  if (onFault) {
    check(binding.mlock2(handle, offset, length, binding.MLOCK.ONFAULT), 'mlock2', { feature: 'lockOnFault', remedy: lockRemedy });
  } else {
    check(binding.mlock(handle, offset, length), 'mlock', { remedy: lockRemedy });
  }
}

export function unlock(pages: Pages, range: Range | undefined): void {
  const { offset, length } = pages.span(range);
  const handle = pages.pinnedHandle();
  if (length > 0) check(binding.munlock(handle, offset, length), 'munlock');
}
