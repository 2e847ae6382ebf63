// What TypeScript must accept and refuse of 'memmap/http'. Compiled, never run.
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { mapFile } from 'memmap';
import { type HttpOptions, type Servable, respond, serve } from 'memmap/http';

const file: Servable = mapFile('a.bin');
const options: HttpOptions = { headers: { 'cache-control': 'no-cache', 'x-number': 5, 'set-cookie': ['a=1'] } };
createServer((request, response) => {
  const done: Promise<void> = serve(request, response, file, options);
  void done;
});
createServer((request, response) => void serve(request, response, Buffer.from('a.bin'), { headers: new Headers({ a: 'b' }) }));
createSecureServer((request, response) => void serve(request, response, new URL('file:///a.bin'), { headers: [['a', 'b']] }));
const response: Promise<Response> = respond(new Request('http://localhost/'), 'a.bin', { headers: undefined });
void response;

// @ts-expect-error: no descriptors
void respond(new Request('http://localhost/'), 5);
// @ts-expect-error: it has no status
void respond(new Request('http://localhost/'), 'a.bin', { status: 200 });
