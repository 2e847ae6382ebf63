// Conditional requests: RFC 9110, section 13.
import { parseHttpDate } from './http-date.js';

/** What a response says about the version of the file. */
export interface Validators {
  /** With its quotes, and W/ if it is weak. Undefined: it has none. */
  readonly etag: string | undefined;
  /** Seconds since 1970. Undefined: not known. */
  readonly modified: number | undefined;
}

/** A header of the request, by its name in lower case. */
export type HeaderReader = (name: string) => string | undefined;

/** What the conditions of a request lead to: go on, 304 or 412. */
export type Verdict = 'go-on' | 'not-modified' | 'failed';

const TAG = /[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)|[ \t]*,/y;

/** The entity tags of a list. What follows a member that is not one is left out. */
function tagsOf(list: string): string[] {
  const tags: string[] = [];
  for (TAG.lastIndex = 0; TAG.lastIndex < list.length; ) {
    const match = TAG.exec(list);
    if (match === null) break;
    if (match[1] !== undefined) tags.push(match[1]);
  }
  return tags;
}

const isWeak = (tag: string): boolean => tag.startsWith('W/');
const opaque = (tag: string): string => (isWeak(tag) ? tag.slice(2) : tag);

/** If-Match compares strongly: a weak tag equals nothing. */
function matches(list: string, etag: string | undefined, strongly: boolean): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined || (strongly && isWeak(etag))) return false;
  return tagsOf(list).some((tag) => (strongly ? tag === etag : opaque(tag) === opaque(etag)));
}

/** In the order of section 13.2.2. */
export function evaluateConditions(header: HeaderReader, { etag, modified }: Validators): Verdict {
  const ifMatch = header('if-match');
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, etag, true)) return 'failed';
  } else if (modified !== undefined) {
    const since = parseHttpDate(header('if-unmodified-since') ?? '');
    if (since !== undefined && modified > since) return 'failed';
  }
  const ifNoneMatch = header('if-none-match');
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, etag, false) ? 'not-modified' : 'go-on';
  const since = parseHttpDate(header('if-modified-since') ?? '');
  return since !== undefined && modified !== undefined && modified <= since ? 'not-modified' : 'go-on';
}

/**
 * Whether If-Range permits a part. A date does if it is that of the file, and so old that the file cannot have
 * changed twice in its second.
 *
 * @param now - seconds since 1970
 */
export function permitsRange(header: HeaderReader, { etag, modified }: Validators, now: number): boolean {
  const ifRange = header('if-range')?.trim();
  if (ifRange === undefined) return true;
  if (ifRange.endsWith('"')) return ifRange === etag && !isWeak(ifRange);
  const date = parseHttpDate(ifRange);
  return date !== undefined && date === modified && now - date >= 1;
}
