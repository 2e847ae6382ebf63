// Argument checks: wrong use is a TypeError or RangeError with Node's codes, before any
// call is made.
import { isAbortSignal, isUint8Array } from './realms/kinds.js';
import { constants } from 'node:buffer';
import { inspect } from 'node:util';

function withCode<E extends Error>(error: E, code: string): E {
  return Object.assign(error, { code });
}

function show(value: unknown): string {
  const kind = value === null || value === undefined ? '' : `type ${typeof value} `;
  // No inspect() of objects: it runs their code, and throws for a detached DataView.
  const isObject = typeof value === 'object' && value !== null;
  const text = isObject ? Object.prototype.toString.call(value) : inspect(value, { breakLength: Infinity });
  return `${kind}(${text.slice(0, 60)})`;
}

export function invalidType(name: string, expected: string, value: unknown): TypeError {
  return withCode(
    new TypeError(`The "${name}" argument must be ${expected}. Received ${show(value)}`),
    'ERR_INVALID_ARG_TYPE',
  );
}

export function invalidValue(name: string, reason: string, value: unknown): TypeError {
  return withCode(
    new TypeError(`The "${name}" argument ${reason}. Received ${show(value)}`),
    'ERR_INVALID_ARG_VALUE',
  );
}

export function outOfRange(name: string, range: string, value: unknown): RangeError {
  return withCode(
    new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${String(value)}`),
    'ERR_OUT_OF_RANGE',
  );
}

export function stringTooLong(length: number, encoding: string): RangeError {
  return withCode(
    new RangeError(
      `${length} bytes as ${encoding} are more characters than the longest string has: buffer.constants.MAX_STRING_LENGTH, ${constants.MAX_STRING_LENGTH}. ` +
        'Decode a part: mapping.toString({ offset, length })',
    ),
    'ERR_STRING_TOO_LONG',
  );
}

/**
 * The first argument of constructors and static methods of public classes that only the package may call.
 * TypeScript calls them private, but JavaScript can reach them; other code does not have this symbol.
 */
export const OURS: unique symbol = Symbol('ours');

/** Throws unless such a function was called by the package. */
export function validateOurs(key: unknown, instead = 'mapFile(), mapAnonymous() or reserve()'): asserts key is typeof OURS {
  if (key === OURS) return;
  throw withCode(new TypeError(`Illegal constructor: use ${instead}`), 'ERR_ILLEGAL_CONSTRUCTOR');
}

/** A whole number in [min, max]. Never rounds, never wraps. */
export function validateInteger(
  value: unknown,
  name: string,
  min = 0,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
}

/** A multiple of `unit`, in bytes. */
/** Descriptors and process IDs are an int in C. */
const INT_MAX = 2 ** 31 - 1;

/** `least`: -1 where that stands for none. */
export function validateFd(value: unknown, name = 'fd', least = 0): asserts value is number {
  validateInteger(value, name, least, INT_MAX);
}

/** `least`: 0 where that stands for this process. */
export function validatePid(value: unknown, name = 'pid', least = 1): asserts value is number {
  validateInteger(value, name, least, INT_MAX);
}

export function validatePath(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value);
  if (value === '' || value.includes('\0')) throw invalidValue(name, 'must be a path without null bytes', value);
}

export function validateMultiple(value: number, name: string, unit: number): void {
  if (value % unit !== 0) throw outOfRange(name, `a multiple of ${unit}`, value);
}

export function validateBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidType(name, 'of type boolean', value);
}

export function validateBytes(value: unknown, name: string): asserts value is Uint8Array {
  if (!isUint8Array(value)) throw invalidType(name, 'a Uint8Array', value);
}

/** Milliseconds, or Infinity. */
export function validateTimeout(value: unknown, name = 'options.timeout'): asserts value is number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!(value >= 0)) throw outOfRange(name, '>= 0 milliseconds', value);
}

export function validateSignal(value: unknown, name = 'options.signal'): asserts value is AbortSignal | undefined {
  if (value !== undefined && !isAbortSignal(value)) throw invalidType(name, 'an AbortSignal', value);
}

/** Bytes are refused: they are numbers, one by one, and a detached view throws what has no code. */
export function validateIterable(value: unknown, name: string, of: string): asserts value is Iterable<unknown> {
  const iterable = typeof value === 'object' && value !== null && Symbol.iterator in value && !ArrayBuffer.isView(value);
  if (!iterable) throw invalidType(name, `an iterable of ${of}`, value);
}

export function validateFunction(value: unknown, name: string): asserts value is (...args: never[]) => unknown {
  if (typeof value !== 'function') throw invalidType(name, 'of type function', value);
}

/** One of the keys of `table`. */
export function validateEnum<Word extends string>(
  value: unknown,
  name: string,
  table: Readonly<Record<Word, unknown>>,
): asserts value is Word {
  if (typeof value === 'string' && Object.hasOwn(table, value)) return;
  const words = Object.keys(table).map((word) => `'${word}'`).join(', ');
  throw invalidValue(name, `must be one of ${words}`, value);
}

/** The bytes to search for: of a string, a byte array, or one byte. */
export function validateNeedle(needle: unknown): Uint8Array {
  if (typeof needle === 'string') return Buffer.from(needle);
  if (isUint8Array(needle)) return needle;
  if (typeof needle !== 'number') throw invalidType('needle', 'a string, a Uint8Array or a byte', needle);
  validateInteger(needle, 'needle', 0, 255);
  return Uint8Array.of(needle);
}

/** An address: a BigInt, or a safe integer, from 0 to 2^64 - 1. */
export function validateAddress(value: unknown, name: string): bigint {
  if (typeof value === 'number') {
    validateInteger(value, name);
    return BigInt(value);
  }
  if (typeof value !== 'bigint') throw invalidType(name, 'of type bigint', value);
  if (value < 0n || value >= 1n << 64n) throw outOfRange(name, '>= 0 && < 2 ** 64', value);
  return value;
}

/** An options object without unknown keys: a misspelt option is an error. */
export function validateOptions<T extends object>(
  value: unknown,
  known: readonly (keyof T & string)[],
  name = 'options',
): asserts value is T {
  // Bytes have a key for each of them.
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw invalidType(name, 'of type object', value);
  }
  for (const key in value) {
    if ((known as readonly string[]).includes(key)) continue;
    const meant = known.find((word) => word.toLowerCase() === key.toLowerCase());
    throw invalidValue(
      `${name}.${key}`,
      meant === undefined ? `is not an option; the options are ${known.join(', ')}` : `should be spelt "${meant}"`,
      (value as Record<string, unknown>)[key],
    );
  }
}

/** Memory that is both writable and executable helps attackers: it must be asked for by name. */
export function refuseWriteExec(both: boolean, allowed: boolean | undefined, what = 'Memory that is both writable and executable'): void {
  if (!both || allowed === true) return;
  throw withCode(new TypeError(`${what} needs allowWriteExec: true`), 'ERR_MEMMAP_WRITE_EXEC');
}
