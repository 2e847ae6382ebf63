// What the copies of the package in one thread share. jest evaluates the package once for each test file, in one thread; the
// addon is the same for all, and calls the first function that it was given.
import { binding } from './binding.js';

const SHARED = Symbol.for('memmap.shared');

/** The value that the first copy has made. It may be of another realm: use no `instanceof`. */
export function sharedByCopies<T>(name: string, make: () => T): T {
  const values: Record<string, unknown> = ((binding as { [SHARED]?: Record<string, unknown> })[SHARED] ??= {});
  return (values[name] ??= make()) as T;
}
