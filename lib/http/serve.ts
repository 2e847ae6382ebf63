// serve(): files to the responses of node:http, node:https and node:http2.
import { validateOptions } from '../internal/validate.js';
import { type Answer, NOT_ALLOWED, answer, isAllowed } from './answer.js';
import { sendBody } from './body.js';
import type { Content } from './content.js';
import { SMALL, copyBody } from './copies.js';
import { Departure } from './departure.js';
import { type Servable, openContent, servable } from './files.js';
import { type GivenHeaders, OURS_ALONE, type HttpOptions, givenHeaders, hasTypes, loadTypes } from './headers.js';
import { type Ask, type Reply, breakOff, isHttp2 } from './reply.js';

/**
 * Answers a request with a file, as RFC 9110 says: ranges, conditions, HEAD; 405 to other methods. All requests share
 * one mapping of a file, which is made anew when its device, inode, size, mtime or ctime is another.
 *
 * Resolves when the response has ended or the client has gone away. Rejects before it has sent anything if the file
 * cannot be opened: the caller then answers. If the file breaks later it rejects too, and has ended the connection, or
 * the stream of HTTP/2: a response with a byte that the file did not have is never complete.
 *
 * A path is opened as it is, wherever it leads: check paths that come from requests. Do not call it for a response that
 * has begun. The file is looked up and its pages are read in this thread, which waits for a slow disk.
 *
 * ```js
 * createServer((request, response) => {
 *   serve(request, response, 'logo.png', { headers: { 'cache-control': 'max-age=60' } }).catch(() => {
 *     if (!response.headersSent) response.writeHead(404).end();
 *   });
 * }).listen(8080);
 * ```
 *
 * @throws {SystemError} as mapFile(): ENOENT, EACCES, EISDIR, EMFILE; ENODEV for devices
 * @throws {StateError} ERR_MEMMAP_CLOSED if the FileMapping is closed when it is called
 * @throws {FaultError} ERR_MEMMAP_TRUNCATED if the file has shrunk
 * @throws {TypeError} ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE
 */
export async function serve(request: Ask, response: Reply, file: Servable, options: HttpOptions = {}): Promise<void> {
  validateOptions<HttpOptions>(options, ['headers']);
  const given = givenHeaders(options.headers);
  const name = servable(file);
  if (isOver(request, response)) return;
  const { method = 'GET' } = request;
  if (!isAllowed(method)) {
    response.writeHead(NOT_ALLOWED.status, { ...Object.fromEntries(given), ...NOT_ALLOWED.headers } as never);
    await ended(request, response, (departure) => departure.until(() => response.end()));
    return;
  }
  const content = openContent(name);
  try {
    if (!hasTypes()) await loadTypes();
    await send(request, response, content, method, withEarlier(response, given));
  } finally {
    content.release();
  }
}

function isOver({ socket }: Ask, response: Reply): boolean {
  return response.destroyed || (!isHttp2(response) && socket.destroyed);
}

/** The headers that were set before, too, for example by middleware. */
function withEarlier(response: Reply, given: GivenHeaders): GivenHeaders {
  const names = response.getHeaderNames();
  if (names.length === 0) return given;
  const all = new Map(given);
  for (const name of names) {
    const value = response.getHeader(name);
    if (!all.has(name) && value !== undefined && !OURS_ALONE.has(name)) all.set(name, typeof value === 'number' ? String(value) : value);
  }
  // The answer has those that are to be sent.
  return all;
}

async function send(request: Ask, response: Reply, content: Content, method: string, given: GivenHeaders): Promise<void> {
  const { headers } = request;
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
  const reply = answer({ method, header, given }, content);
  // Before anything is sent: if it fails, the caller answers.
  const copied = reply.length > SMALL ? undefined : copyBody(reply, content);
  const small = copied instanceof Promise ? await copied : copied;
  if (isOver(request, response)) return;
  begin(response, reply);
  await ended(request, response, async (departure) => {
    if (small === undefined) {
      try {
        await sendBody(request, response, reply.body, content, departure);
      } catch (error) {
        breakOff(request, response);
        throw error;
      }
    }
    await departure.until(() => {
      if (small !== undefined) response.end(small);
    });
  });
}

function begin(response: Reply, { status, headers }: Answer): void {
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.writeHead(status, headers as never);
}

async function ended(request: Ask, response: Reply, act: (departure: Departure) => Promise<void>): Promise<void> {
  const departure = new Departure(response, isHttp2(response) || response.socket !== null ? undefined : request.socket);
  try {
    await act(departure);
  } finally {
    departure.stop();
  }
}
