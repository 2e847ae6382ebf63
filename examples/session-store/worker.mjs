// One of the processes that answer HTTP: reads the store itself, and has the writer write.
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Store } from 'memmap/store';

const store = Store.open(process.argv[2], { readOnly: true });

/** Of what the writer has been asked: how to go on. */
const asked = new Map();
let count = 0;

process.on('message', ({ id, error }) => {
  asked.get(id)?.(error);
  asked.delete(id);
});

/** Resolves to undefined once the disk has it, or to why that is not known. */
function write(request) {
  const id = ++count;
  return new Promise((resolve) => {
    asked.set(id, resolve);
    process.send({ ...request, id });
  });
}

async function answer(request, response) {
  const [, session] = /^\/session\/([\w-]+)$/.exec(request.url) ?? [];
  const { method } = request;
  if (session === undefined) return response.writeHead(404).end();
  if (method === 'GET') {
    // A copy whose checksum was right: it stays what it is while it is sent.
    const value = store.get(session);
    return value === undefined ? response.writeHead(404).end() : response.end(value);
  }
  if (method !== 'PUT' && method !== 'DELETE') return response.writeHead(405).end();
  const value = method === 'PUT' ? await buffer(request) : undefined;
  const error = await write({ method, session, value });
  return error === undefined ? response.writeHead(204).end() : response.writeHead(503).end(error);
}

createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(500).end(`${error.code}: ${error.message}`));
}).listen(0, '127.0.0.1'); // the port is the same for all: node:cluster
