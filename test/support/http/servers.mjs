// Servers of node:http, node:https and node:http2, and clients that say whether a response was complete.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { setTimeout } from 'node:timers/promises';

const pem = (name) => readFileSync(new URL(`../../fixtures/http/${name}.pem`, import.meta.url));
/** A key for localhost, which no one else uses. */
const SECRET = { key: pem('key'), cert: pem('certificate') };
const TRUST = { ca: SECRET.cert, servername: 'localhost' };

/** Gathers the body. `meanwhile` runs once, while the client reads nothing. */
async function gather(stream, meanwhile) {
  const chunks = [];
  let isFirst = true;
  stream.on('data', async (chunk) => {
    chunks.push(chunk);
    if (!isFirst || meanwhile === undefined) return;
    isFirst = false;
    stream.pause();
    await setTimeout(100);
    await meanwhile(stream);
    stream.resume();
  });
  await new Promise((resolve) => stream.on('close', resolve).on('error', () => {}));
  return Buffer.concat(chunks);
}

async function get1(module, port, { method = 'GET', path = '/', headers, meanwhile, agent = false }) {
  const request = module.request({ port, host: '127.0.0.1', agent, method, path, headers, ...TRUST }).end();
  const [response] = await once(request, 'response');
  const body = await gather(response, meanwhile);
  return { status: response.statusCode, headers: response.headers, body, complete: response.complete };
}

async function get2(origin, { method = 'GET', path = '/', headers, meanwhile }) {
  const session = http2.connect(origin, TRUST).on('error', () => {});
  try {
    const stream = session.request({ ':method': method, ':path': path, ...headers });
    let hasEnded = false;
    stream.on('end', () => (hasEnded = true));
    const [[answered], body] = await Promise.all([once(stream, 'response'), gather(stream, meanwhile)]);
    return { status: answered[':status'], headers: answered, body, complete: hasEnded && stream.rstCode === 0, code: stream.rstCode };
  } finally {
    session.close();
  }
}

/** How to make a server of each kind, and how to ask one at a port. */
export const KINDS = {
  http: { create: (handler) => http.createServer(handler), get: (port, options) => get1(http, port, options) },
  https: { create: (handler) => https.createServer(SECRET, handler), get: (port, options) => get1(https, port, options) },
  http2: { create: (handler) => http2.createSecureServer(SECRET, handler), get: (port, options) => get2(`https://127.0.0.1:${port}`, options) },
  'http2 without TLS': { create: (handler) => http2.createServer(handler), get: (port, options) => get2(`http://127.0.0.1:${port}`, options) },
};

/** Returns start(handler, kind) -> get(options), of servers that are closed after each test of the calling describe block. */
export function serversOfTest() {
  const running = [];
  afterEach(async () => {
    for (const server of running.splice(0)) {
      server.closeAllConnections?.();
      server.close();
    }
  });
  return async (handler, kind = 'http') => {
    const server = KINDS[kind].create(handler).listen(0);
    running.push(server);
    await once(server, 'listening');
    const { port } = server.address();
    return Object.assign((options = {}) => KINDS[kind].get(port, options), { port });
  };
}
