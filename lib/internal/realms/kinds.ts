// What a value is, whichever realm made it. A vm context, in which jest and vitest run tests, has an ArrayBuffer, a Uint8Array
// and an Error of its own; what the addon and Node's modules make is of the main one's classes. So `instanceof` says no to
// what is one; it is right only for classes of this package.
import { isArrayBuffer, isNativeError, isSharedArrayBuffer } from 'node:util/types';

export { isArrayBuffer, isBigUint64Array, isPromise, isSharedArrayBuffer, isUint8Array } from 'node:util/types';

/** Of those of this realm at the speed of a comparison. */
export function isAnyBuffer(value: unknown): value is ArrayBuffer | SharedArrayBuffer {
  if (typeof value !== 'object' || ArrayBuffer.isView(value)) return false;
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer || isArrayBuffer(value) || isSharedArrayBuffer(value);
}

/** A URL of the WHATWG, by what Node's own functions ask: url.parse() returns an object with `auth` and `path`. */
export function isUrl(value: unknown): value is URL {
  if (typeof value !== 'object' || value === null) return false;
  const { href, protocol, auth, path } = value as { readonly [name: string]: unknown };
  return typeof href === 'string' && typeof protocol === 'string' && auth === undefined && path === undefined;
}

/** By what Node's own functions ask. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value && typeof value.addEventListener === 'function';
}

/** Whether it is an error of this name: 'RangeError'. */
export function isErrorNamed(value: unknown, name: string): boolean {
  return (value instanceof Error || isNativeError(value)) && value.name === name;
}

/** The `code` of an error as text; '' if it has none. */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
