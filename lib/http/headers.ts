// The headers that the caller gives.
import { extname } from 'node:path';
import { shownPath } from '../internal/path.js';
import { invalidType, invalidValue } from '../internal/validate.js';

/** An object, entries, or a Headers. */
export type HeadersLike = Readonly<Record<string, string | number | readonly string[]>> | Iterable<readonly [string, string]> | Headers;

/** What to send besides the file. */
export interface HttpOptions {
  /**
   * Headers, which replace those that would be sent: Content-Type, ETag, Last-Modified, Cache-Control, for example.
   * Conditions are then compared with this ETag and Last-Modified. Not Content-Length, Content-Range and
   * Transfer-Encoding, which depend on the request.
   */
  readonly headers?: HeadersLike | undefined;
}

/** Names in lower case. */
export const OURS_ALONE: ReadonlySet<string> = new Set(['content-length', 'content-range', 'transfer-encoding']);

/** By their names in lower case. */
export type GivenHeaders = ReadonlyMap<string, string | readonly string[]>;

const NONE: GivenHeaders = new Map();

export function givenHeaders(headers: unknown): GivenHeaders {
  if (headers === undefined) return NONE;
  if (typeof headers !== 'object' || headers === null || ArrayBuffer.isView(headers)) throw invalidType('options.headers', 'an object, entries or a Headers', headers);
  const entries: Iterable<unknown> = Symbol.iterator in headers ? (headers as Iterable<unknown>) : Object.entries(headers);
  const given = new Map<string, string | readonly string[]>();
  for (const entry of entries) {
    if (!Array.isArray(entry) || entry.length !== 2) throw invalidValue('options.headers', 'must have entries of a name and a value', entry);
    const [name, value] = entry as unknown[];
    if (typeof name !== 'string') throw invalidType('options.headers', 'names of type string', name);
    const key = name.toLowerCase();
    if (OURS_ALONE.has(key)) throw invalidValue(`options.headers.${name}`, 'depends on the request and is sent without being given', value);
    given.set(key, validValue(name, value));
  }
  return given;
}

function validValue(name: string, value: unknown): string | readonly string[] {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw invalidType(`options.headers.${name}`, 'a string, a number or an array of strings', value);
}

const known = new Map<string, string>();
let lookUp: ((extension: string) => string | false) | undefined;

export function hasTypes(): boolean {
  return lookUp !== undefined;
}

/** To be called before {@link contentTypeOf}: an import of this package does not load the table of types. */
export async function loadTypes(): Promise<void> {
  const { default: { contentType } } = await import('mime-types');
  lookUp = contentType;
}

/** By the extension of the name. */
export function contentTypeOf(path: string | Uint8Array): string {
  const extension = extname(shownPath(path));
  let type = known.get(extension);
  if (type === undefined) {
    type = (extension !== '' && lookUp?.(extension)) || 'application/octet-stream';
    // Names come from requests.
    if (known.size < 1000) known.set(extension, type);
  }
  return type;
}
