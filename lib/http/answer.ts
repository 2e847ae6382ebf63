// Answer: what the response to a request is, before anything of it is sent.
import type { Span } from '../internal/range.js';
import { type HeaderReader, type Validators, evaluateConditions, permitsRange } from './conditions.js';
import type { Content } from './content.js';
import { type GivenHeaders, contentTypeOf } from './headers.js';
import { formatHttpDate, parseHttpDate } from './http-date.js';
import { resolveRanges } from './ranges.js';

/** A piece of the body: text, or bytes of the content. */
export type Segment = string | Span;

export type AnswerHeaders = Record<string, string | readonly string[]>;

export interface Answer {
  readonly status: number;
  /** By names as they are usually written. */
  readonly headers: AnswerHeaders;
  /** Empty for HEAD, too. */
  readonly body: readonly Segment[];
  /** Bytes of all segments. */
  readonly length: number;
}

/** What a request asks. */
export interface RequestFacts {
  readonly method: string;
  readonly header: HeaderReader;
  readonly given: GivenHeaders;
}

/** Bytes by which the headers of parts may exceed twice the file. */
const OVERHEAD = 2 ** 13;

/** Not for responses whose content is not the file. */
const OF_CONTENT = /^content-|^(?:cache-control|expires|etag|last-modified|accept-ranges)$/;

export const NOT_ALLOWED: Pick<Answer, 'status' | 'headers'> = { status: 405, headers: { Allow: 'GET, HEAD', 'Content-Length': '0' } };

export function isAllowed(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

const now = (): number => Math.floor(Date.now() / 1000);

function validatorsOf(given: GivenHeaders, { etag, modified }: Content, time: number): Validators {
  const [givenTag, givenDate] = [given.get('etag'), given.get('last-modified')];
  return {
    etag: givenTag === undefined ? etag : String(givenTag),
    // RFC 9110, section 8.8.2.1: never in the future.
    modified: givenDate === undefined ? modified && Math.min(modified, time) : parseHttpDate(String(givenDate)),
  };
}

function withGiven(headers: AnswerHeaders, given: GivenHeaders, leaveOut?: RegExp): AnswerHeaders {
  if (given.size === 0) return headers;
  const names = new Map(Object.keys(headers).map((name) => [name.toLowerCase(), name]));
  for (const [name, value] of given) {
    if (leaveOut?.test(name) !== true) headers[names.get(name) ?? name] = value;
  }
  return headers;
}

function refusal(status: number, headers: AnswerHeaders, given: GivenHeaders): Answer {
  return { status, headers: withGiven({ ...headers, 'Content-Length': '0' }, given, OF_CONTENT), body: [], length: 0 };
}

export function answer(request: RequestFacts, content: Content): Answer {
  const { method, header, given } = request;
  const { size } = content;
  const time = now();
  const validators = validatorsOf(given, content, time);
  const headers: AnswerHeaders = { 'Accept-Ranges': 'bytes' };
  if (validators.etag !== undefined) headers['ETag'] = validators.etag;
  if (validators.modified !== undefined) headers['Last-Modified'] = formatHttpDate(validators.modified);

  const verdict = evaluateConditions(header, validators);
  if (verdict === 'failed') return refusal(412, {}, given);
  if (verdict === 'not-modified') return { status: 304, headers: withGiven(headers, given, /^content-/), body: [], length: 0 };

  const givenType = given.get('content-type');
  const type = givenType === undefined ? contentTypeOf(content.path) : String(givenType);
  const range = method === 'GET' ? header('range') : undefined;
  const spans = range !== undefined && permitsRange(header, validators, time) ? resolveRanges(range, size) : undefined;
  if (spans?.length === 0) return refusal(416, { 'Content-Range': `bytes */${size}`, 'Accept-Ranges': 'bytes' }, given);
  if (spans?.length === 1) {
    const span = spans[0] as Span;
    const ofPart = { 'Content-Type': type, 'Content-Length': String(span.length), 'Content-Range': contentRange(span, size), ...headers };
    return { status: 206, headers: withGiven(ofPart, given), body: [span], length: span.length };
  }
  const parts = spans === undefined ? undefined : multipart(spans, type, size);
  if (parts !== undefined) {
    const { boundary, body, length } = parts;
    const multi = withGiven({ 'Content-Length': String(length), ...headers }, given, /^content-type$/);
    return { status: 206, headers: { 'Content-Type': `multipart/byteranges; boundary=${boundary}`, ...multi }, body, length };
  }
  const ofAll = withGiven({ 'Content-Type': type, 'Content-Length': String(size), ...headers }, given);
  return { status: 200, headers: ofAll, body: method === 'HEAD' || size === 0 ? [] : [{ offset: 0, length: size }], length: method === 'HEAD' ? 0 : size };
}

function contentRange({ offset, length }: Span, size: number): string {
  return `bytes ${offset}-${offset + length - 1}/${size}`;
}

/** Undefined if the headers of its many parts were longer than the file: the whole file is sent instead. */
function multipart(spans: readonly Span[], type: string, size: number): { boundary: string; body: Segment[]; length: number } | undefined {
  const boundary = crypto.randomUUID();
  const body: Segment[] = [];
  let length = 0;
  for (const span of spans) {
    const head = `${body.length === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${contentRange(span, size)}\r\n\r\n`;
    body.push(head, span);
    length += head.length + span.length;
    if (length > 2 * size + OVERHEAD) return undefined;
  }
  const end = `\r\n--${boundary}--\r\n`;
  body.push(end);
  return { boundary, body, length: length + end.length };
}
