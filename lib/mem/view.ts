// Typed arrays over a part of a mapping.
import { invalidType, invalidValue, outOfRange, validateInteger, validateOptions } from '../internal/validate.js';

/** A typed array class, for {@link Mapping.view}. */
export interface ViewConstructor<View> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): View;
}

/** The typed array of a class, over this type of buffer. */
export type ViewOver<View, TArrayBuffer extends ArrayBufferLike> =
  View extends Int8Array ? Int8Array<TArrayBuffer>
  : View extends Uint8Array ? Uint8Array<TArrayBuffer>
  : View extends Uint8ClampedArray ? Uint8ClampedArray<TArrayBuffer>
  : View extends Int16Array ? Int16Array<TArrayBuffer>
  : View extends Uint16Array ? Uint16Array<TArrayBuffer>
  : View extends Int32Array ? Int32Array<TArrayBuffer>
  : View extends Uint32Array ? Uint32Array<TArrayBuffer>
  : View extends Float32Array ? Float32Array<TArrayBuffer>
  : View extends Float64Array ? Float64Array<TArrayBuffer>
  : View extends BigInt64Array ? BigInt64Array<TArrayBuffer>
  : View extends BigUint64Array ? BigUint64Array<TArrayBuffer>
  : View;

/** Options of {@link Mapping.view}. */
export interface ViewOptions {
  /** Bytes from the start of the mapping. @default 0 */
  readonly offset?: number | undefined;
  /** Elements. @default as many as fit */
  readonly count?: number | undefined;
}

/** Where in the mapping the view starts, in bytes, and how many elements it has. */
export function resolveView(
  Type: ViewConstructor<unknown>,
  options: ViewOptions | undefined,
  pages: { readonly length: number; readonly byteOffset: number },
): { readonly offset: number; readonly count: number } {
  if (typeof Type !== 'function' || typeof Type.BYTES_PER_ELEMENT !== 'number') {
    throw invalidType('Type', 'a typed array class', Type);
  }
  if (options !== undefined) {
    if (typeof options === 'object' && options !== null && !Array.isArray(options) && 'length' in options) {
      throw invalidValue('options.length', 'is not an option of view(): use count, in elements', options.length);
    }
    validateOptions<ViewOptions>(options, ['offset', 'count']);
  }
  const { offset = 0 } = options ?? {};
  validateInteger(offset, 'options.offset', 0, pages.length);
  const size = Type.BYTES_PER_ELEMENT;
  if ((pages.byteOffset + offset) % size !== 0) {
    throw outOfRange('options.offset', `at a multiple of ${size} bytes in memory (use dataView() otherwise)`, offset);
  }
  const most = Math.floor((pages.length - offset) / size);
  const { count = most } = options ?? {};
  validateInteger(count, 'options.count');
  if (count > most) throw outOfRange('options.count', `<= ${most}, the elements after offset ${offset}`, count);
  return { offset, count };
}
