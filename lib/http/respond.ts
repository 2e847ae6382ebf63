// respond(): files as Responses of the Web, for Bun, Deno, Hono and Next.
import type { ReadableByteStreamController, UnderlyingByteSource } from 'node:stream/web';
import { invalidType, validateOptions } from '../internal/validate.js';
import { type AnswerHeaders, NOT_ALLOWED, type Segment, answer, isAllowed } from './answer.js';
import type { Content } from './content.js';
import { COPY, SMALL, copyBody } from './copies.js';
import { type Servable, openContent, servable } from './files.js';
import { type HttpOptions, givenHeaders, hasTypes, loadTypes } from './headers.js';
import { piecesOf } from './pieces.js';
import { releaseWith } from '../mem/lease/file-lease.js';

/** What respond() reads of a request: all that a `Request` has. */
export interface RequestLike {
  readonly method: string;
  readonly headers: { get(name: string): string | null };
}

/** Releases the content once, when the body ends or nobody can read it any more. */
class ContentHold {
  readonly #content: Content;
  #isReleased = false;

  constructor(content: Content) {
    this.#content = content;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#content.release();
  }
}

class BodySource implements UnderlyingByteSource {
  readonly type = 'bytes';
  readonly #content: Content;
  readonly #hold: ContentHold;
  readonly #pieces: ReturnType<typeof piecesOf>;

  constructor(content: Content, hold: ContentHold, body: readonly Segment[]) {
    this.#content = content;
    this.#hold = hold;
    this.#pieces = piecesOf(body, 0);
  }

  async pull(controller: ReadableByteStreamController): Promise<void> {
    try {
      const { value, done } = this.#pieces.next();
      if (done === true) {
        this.#hold.release();
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      if (typeof value === 'string') {
        controller.enqueue(new TextEncoder().encode(value));
        return;
      }
      const bytes = new Uint8Array(value.length);
      await this.#content.read(bytes, value.offset);
      controller.enqueue(bytes);
    } catch (error) {
      this.#hold.release();
      throw error;
    }
  }

  cancel(): void {
    this.#hold.release();
  }
}

function headersOf(headers: AnswerHeaders): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') all.set(name, value);
    else for (const item of value) all.append(name, item);
  }
  return all;
}

/**
 * As {@link serve}, for servers whose handlers return a `Response`: Bun, Deno, Hono, Next. The body is a stream of
 * checked copies; if the file shrinks meanwhile, the stream fails with ERR_MEMMAP_TRUNCATED, and the server ends the
 * connection. What it holds is given back at its end, by `cancel()`, or when it is collected.
 *
 * ```js
 * app.get('/logo.png', (context) => respond(context.req.raw, 'logo.png'));
 * ```
 *
 * Rejects as serve() does before it has sent anything. It guards against no path traversal either.
 */
export async function respond(request: RequestLike, file: Servable, options: HttpOptions = {}): Promise<Response> {
  if (typeof request !== 'object' || request === null || typeof request.headers?.get !== 'function') {
    throw invalidType('request', 'a Request', request);
  }
  validateOptions<HttpOptions>(options, ['headers']);
  const given = givenHeaders(options.headers);
  const name = servable(file);
  const { method, headers } = request;
  if (!isAllowed(method)) {
    return new Response(null, { status: NOT_ALLOWED.status, headers: headersOf({ ...Object.fromEntries(given), ...NOT_ALLOWED.headers }) });
  }
  const content = openContent(name);
  const hold = new ContentHold(content);
  try {
    if (!hasTypes()) await loadTypes();
    const reply = answer({ method, header: (key) => headers.get(key) ?? undefined, given }, content);
    const init = { status: reply.status, headers: headersOf(reply.headers) };
    if (reply.length <= SMALL) {
      const body = reply.length === 0 ? null : await copyBody(reply, content);
      hold.release();
      return new Response(body, init);
    }
    const body = new ReadableStream(new BodySource(content, hold, reply.body), { highWaterMark: COPY });
    releaseWith(body, hold);
    return new Response(body, init);
  } catch (error) {
    hold.release();
    throw error;
  }
}
