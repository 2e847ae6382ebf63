// Ways out to files, sockets, processes, threads and databases of the runtime.
import { fork, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { appendFileSync, createWriteStream, readFileSync, writeFileSync, writeSync, openSync, closeSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { BroadcastChannel, MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import { MISSING } from './content.mjs';

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** What `ask(port)` gives while the server listens. */
export async function throughServer(server, ask) {
  try {
    return await ask(await listening(server));
  } finally {
    server.close();
    server.closeAllConnections?.();
  }
}

export const echo = () => http.createServer((request, response) => request.pipe(response));

const fetched = (port) => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.arrayBuffer());

const files = {
  'fs.writeFileSync()'(bytes, path) {
    writeFileSync(path, bytes);
    return readFileSync(path);
  },
  'fs.appendFileSync()'(bytes, path) {
    writeFileSync(path, '');
    appendFileSync(path, bytes);
    return readFileSync(path);
  },
  'fs.writeSync()'(bytes, path) {
    const fd = openSync(path, 'w');
    writeSync(fd, bytes);
    closeSync(fd);
    return readFileSync(path);
  },
  async 'fs.promises.writeFile()'(bytes, path) {
    await writeFile(path, bytes);
    return readFileSync(path);
  },
  async 'FileHandle.write()'(bytes, path) {
    const handle = await open(path, 'w');
    await handle.write(bytes, 0, bytes.length, 0).finally(() => handle.close());
    return readFileSync(path);
  },
  async 'FileHandle.writev()'(bytes, path) {
    const handle = await open(path, 'w');
    await handle.writev([bytes]).finally(() => handle.close());
    return readFileSync(path);
  },
  async 'fs.createWriteStream()'(bytes, path) {
    await pipeline(Readable.from([bytes]), createWriteStream(path));
    return readFileSync(path);
  },
  async 'Bun.write()'(bytes, path) {
    if (globalThis.Bun === undefined) return MISSING;
    await globalThis.Bun.write(path, bytes);
    return readFileSync(path);
  },
  async 'Deno.writeFile()'(bytes, path) {
    if (globalThis.Deno === undefined) return MISSING;
    await globalThis.Deno.writeFile(path, bytes);
    return readFileSync(path);
  },
};

const sockets = {
  'http request.end()': (bytes) => throughServer(echo(), async (port) => {
    const request = http.request({ port, host: '127.0.0.1', method: 'POST' });
    const answered = once(request, 'response');
    request.end(bytes);
    const [response] = await answered;
    return buffer(response);
  }),
  'http response.end()': (bytes) => throughServer(http.createServer((_, response) => response.end(bytes)), fetched),
  'http2 stream.end()': (bytes) => throughServer(http2.createServer((_, response) => response.end(bytes)), async (port) => {
    const client = http2.connect(`http://127.0.0.1:${port}`);
    const request = client.request({ ':path': '/' });
    request.end();
    return buffer(request).finally(() => client.close());
  }),
  'net socket.end()': (bytes) => throughServer(net.createServer((socket) => socket.end(bytes)), (port) => buffer(net.connect(port, '127.0.0.1'))),
  async 'dgram socket.send()'(bytes) {
    const socket = dgram.createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const got = once(socket, 'message');
    socket.send(bytes, socket.address().port, '127.0.0.1');
    const [message] = await got.finally(() => socket.close());
    return message;
  },
};

const ECHO_CHILD = "process.once('message', (message) => process.send(message, () => process.disconnect()));";
const ECHO_THREAD = "const { parentPort } = require('node:worker_threads'); parentPort.once('message', (message) => parentPort.postMessage(Buffer.from(message)));";

const processes = {
  'spawnSync() input': (bytes) => spawnSync('cat', { input: bytes }).stdout,
  async 'child.send(), advanced'(bytes, path) {
    writeFileSync(`${path}.cjs`, ECHO_CHILD);
    const child = fork(`${path}.cjs`, { serialization: 'advanced' });
    const got = once(child, 'message');
    child.send(bytes);
    const [message] = await got.finally(() => child.kill());
    return message;
  },
  'postMessage() to a port'(bytes) {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(bytes);
    const { message } = receiveMessageOnPort(port2);
    port1.close();
    return message;
  },
  async 'postMessage() to a Worker'(bytes) {
    const worker = new Worker(ECHO_THREAD, { eval: true });
    const got = once(worker, 'message');
    worker.postMessage(bytes);
    const [message] = await got.finally(() => worker.terminate());
    return message;
  },
  async BroadcastChannel(bytes) {
    const [from, to] = [new BroadcastChannel('sinks'), new BroadcastChannel('sinks')];
    const got = new Promise((resolve) => {
      to.addEventListener('message', ({ data }) => resolve(data));
    });
    try {
      from.postMessage(bytes);
      return await got;
    } finally {
      from.close();
      to.close();
    }
  },
  async 'node:sqlite, a BLOB'(bytes) {
    const { DatabaseSync } = await import('node:sqlite').catch(() => ({}));
    if (DatabaseSync === undefined) return MISSING;
    const database = new DatabaseSync(':memory:');
    database.exec('CREATE TABLE blobs (bytes BLOB)');
    database.prepare('INSERT INTO blobs VALUES (?)').run(bytes);
    return database.prepare('SELECT bytes FROM blobs').get().bytes;
  },
};

/** name => (bytes, path of a file to write) => the bytes that arrived. */
export const PLACES = { ...files, ...sockets, ...processes };
