// Whatever takes bytes gets those of the mapping, or throws: lib/mem/pages.ts, lib/mem/stream.ts. What is shared and wrong here
// stands in README.md.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import v8 from 'node:v8';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import zlib from 'node:zlib';
import { mapFile } from 'memmap';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

/** Every byte, so that no text has the same. */
const CONTENT = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
const MOST_MS = 5000;

const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest();
/** Takes what a digest of the bytes says for the bytes. */
const proved = (digest, of = sha256(CONTENT)) => (Buffer.from(digest).equals(of) ? CONTENT : Buffer.from(digest));

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

async function throughServer(server, ask) {
  try {
    return await ask(await listening(server));
  } finally {
    server.close();
    server.closeAllConnections?.();
  }
}

const echo = () => http.createServer((request, response) => request.pipe(response));
const posted = (body) => throughServer(echo(), async (port) => {
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, duplex: 'half' });
  return answer.arrayBuffer();
});

async function throughTransform(transform, bytes) {
  const writer = transform.writable.getWriter();
  const written = Promise.all([writer.write(bytes), writer.close()]);
  const [result] = await Promise.all([buffer(transform.readable), written]);
  return result;
}

/** (bytes, path of a file to write) => the bytes that arrived. */
const SINKS = {
  createHash: (bytes) => proved(sha256(bytes)),
  createHmac: (bytes) => proved(crypto.createHmac('sha256', bytes).update(bytes).digest(), crypto.createHmac('sha256', CONTENT).update(CONTENT).digest()),
  'crypto.hash': (bytes) => (crypto.hash === undefined ? CONTENT : proved(Buffer.from(crypto.hash('sha256', bytes), 'hex'))),
  'crypto.subtle.digest': async (bytes) => proved(await crypto.subtle.digest('SHA-256', bytes)),
  createCipheriv(bytes) {
    const [key, iv] = [Buffer.alloc(32), Buffer.alloc(16)];
    const secret = crypto.createCipheriv('aes-256-ctr', key, iv).update(bytes);
    return crypto.createDecipheriv('aes-256-ctr', key, iv).update(secret);
  },
  sign(bytes) {
    const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
    return crypto.verify(null, CONTENT, publicKey, crypto.sign(null, bytes, privateKey)) ? CONTENT : Buffer.alloc(0);
  },
  timingSafeEqual: (bytes) => (crypto.timingSafeEqual(bytes, CONTENT) ? CONTENT : Buffer.alloc(0)),
  gzipSync: (bytes) => zlib.gunzipSync(zlib.gzipSync(bytes)),
  brotliCompressSync: (bytes) => zlib.brotliDecompressSync(zlib.brotliCompressSync(bytes)),
  createDeflate: async (bytes) => zlib.inflateSync(await buffer(Readable.from([bytes]).pipe(zlib.createDeflate()))),
  CompressionStream: async (bytes) => zlib.gunzipSync(await throughTransform(new CompressionStream('gzip'), bytes)),
  TextDecoder: (bytes) => proved(Buffer.from(new TextDecoder('utf-16le').decode(bytes)), Buffer.from(new TextDecoder('utf-16le').decode(CONTENT))),
  StringDecoder: (bytes) => Buffer.from(new StringDecoder('latin1').end(bytes), 'latin1'),
  writeFileSync(bytes, path) {
    writeFileSync(path, bytes);
    return readFileSync(path);
  },
  async writeFile(bytes, path) {
    await writeFile(path, bytes);
    return readFileSync(path);
  },
  async 'FileHandle.writev'(bytes, path) {
    const handle = await open(path, 'w');
    await handle.writev([bytes]);
    await handle.close();
    return readFileSync(path);
  },
  async createWriteStream(bytes, path) {
    await pipeline(Readable.from([bytes]), createWriteStream(path));
    return readFileSync(path);
  },
  'http response.end': (bytes) => throughServer(http.createServer((_, response) => response.end(bytes)), async (port) => {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    return answer.arrayBuffer();
  }),
  'http2 stream.end': (bytes) => throughServer(http2.createServer((_, response) => response.end(bytes)), async (port) => {
    const client = http2.connect(`http://127.0.0.1:${port}`);
    const request = client.request({ ':path': '/' });
    request.end();
    const got = await buffer(request);
    client.close();
    return got;
  }),
  'net socket.end': (bytes) => throughServer(net.createServer((socket) => socket.end(bytes)), (port) => buffer(net.connect(port, '127.0.0.1'))),
  async 'dgram send'(bytes) {
    const socket = dgram.createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const got = once(socket, 'message');
    socket.send(bytes, socket.address().port, '127.0.0.1');
    const [message] = await got;
    socket.close();
    return message;
  },
  'child stdin': (bytes) => spawnSync('cat', { input: bytes }).stdout,
  structuredClone: (bytes) => structuredClone(bytes),
  'v8.serialize': (bytes) => v8.deserialize(v8.serialize(bytes)),
  postMessage(bytes) {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(bytes);
    const { message } = receiveMessageOnPort(port2);
    port1.close();
    return message;
  },
  'Buffer.from': (bytes) => Buffer.from(bytes),
  'Buffer.concat': (bytes) => Buffer.concat([bytes]),
  'Uint8Array set': (bytes) => {
    const to = new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer, 0, CONTENT.length);
    to.set(bytes);
    return to;
  },
  Blob: (bytes) => new Blob([bytes]).arrayBuffer(),
  'FormData of a Blob': async (bytes) => {
    const form = new FormData();
    form.append('file', new Blob([bytes]));
    const got = await new Response(form).formData();
    return got.get('file').arrayBuffer();
  },
  Response: (bytes) => new Response(bytes).arrayBuffer(),
  Request: (bytes) => new Request('http://127.0.0.1/', { method: 'POST', body: bytes }).arrayBuffer(),
  'fetch body': posted,
  'fetch body of a stream': (bytes) => posted(Readable.toWeb(Readable.from([bytes]))),
  'Response of a stream': (bytes) => new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  })).arrayBuffer(),
  // Last: it takes the memory of an ArrayBuffer.
  'byte stream': async (bytes) => buffer(new ReadableStream({
    type: 'bytes',
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  })),
};

const inTime = (promise) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('nothing arrived')), MOST_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

/** What arrives of `what`: 'right', 'throws', or 'wrong'. */
async function outcome(sink, what, path) {
  try {
    const got = await inTime((async () => sink(what, path))());
    return CONTENT.equals(Buffer.from(got.buffer ?? got, got.byteOffset, got.byteLength)) ? 'right' : 'wrong';
  } catch {
    return 'throws';
  }
}

describe('every way out of the process', () => {
  const file = temporaryFiles();

  for (const kind of ['shared', ...(hasExternalBuffers ? ['array'] : [])]) {
    it(`takes the bytes of a buffer that is ${kind === 'shared' ? 'shared' : 'an ArrayBuffer'}, or throws`, async function () {
      this.timeout(60_000);
      const path = file('source', CONTENT);
      const found = {};
      for (const [name, sink] of Object.entries(SINKS)) {
        const mapping = mapFile(path, { buffer: kind });
        found[name] = await outcome(sink, mapping.bytes, file('target'));
        mapping.close();
      }
      // Node 24 and 26 take a view of shared memory for text.
      const texts = kind === 'shared' ? ['Response', 'Request', 'fetch body'] : [];
      assert.deepEqual(Object.keys(found).filter((name) => found[name] === 'wrong' && !texts.includes(name)), []);
      const thrown = Object.keys(found).filter((name) => found[name] === 'throws');
      if (kind === 'array') assert.deepEqual(thrown, []);
      // Refused or not by version, for what is shared.
      const refusing = ['crypto.subtle.digest', 'CompressionStream', 'Response', 'Request', 'fetch body', 'Response of a stream', 'fetch body of a stream', 'byte stream', 'TextDecoder'];
      assert.deepEqual(thrown.filter((name) => !refusing.includes(name)), []);
    });
  }

  it('takes the bytes of blob() and of the copies that stream() makes', async function () {
    this.timeout(60_000);
    const mapping = mapFile(file('source', CONTENT));
    const wrong = [];
    for (const [name, sink] of Object.entries(SINKS)) {
      for await (const chunk of mapping.stream()) if (await outcome(sink, chunk, file('target')) !== 'right') wrong.push(name);
    }
    assert.deepEqual(wrong, []);
    for (const name of ['Response', 'Request', 'fetch body']) assert.equal(await outcome(SINKS[name], mapping.blob(), file('target')), 'right', name);
    mapping.close();
  });
});
