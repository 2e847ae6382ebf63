// A server of one kind over one protocol: http-server.mjs SERVER PROTOCOL FOLDER. Sends its port, then its memory and
// processor time on each message.
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { basename, join } from 'node:path';
import { serve } from 'memmap/http';

const [, , kind, protocol, folder] = process.argv;
const pem = (name) => readFileSync(new URL(`../../test/fixtures/http/${name}.pem`, import.meta.url));
const SECRET = { key: pem('key'), cert: pem('certificate') };
const pathOf = (request) => join(folder, basename(request.url));

const HANDLERS = {
  serve: (request, response) => void serve(request, response, pathOf(request)),
  createReadStream(request, response) {
    const path = pathOf(request);
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': statSync(path).size });
    createReadStream(path).pipe(response);
  },
};

async function listen() {
  if (kind === 'fastify') {
    const { default: fastify } = await import('fastify');
    const { default: files } = await import('@fastify/static');
    const app = fastify(protocol === 'https' ? { https: SECRET } : {});
    await app.register(files, { root: folder });
    await app.listen({ port: 0 });
    return app.server.address().port;
  }
  const server = protocol === 'https' ? createTlsServer(SECRET, HANDLERS[kind]) : createServer(HANDLERS[kind]);
  await new Promise((resolve) => server.listen(0, resolve));
  return server.address().port;
}

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ memory: Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) / 1024, seconds: (user + system) / 1e6 });
});
process.send(await listen());
