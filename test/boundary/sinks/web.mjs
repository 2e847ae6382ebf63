// Ways out of the web's standards: bodies, blobs, streams, and sockets of the browser.
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { MISSING } from './content.mjs';
import { load } from '../../packages/load.mjs';
import { echo, throughServer } from './places.mjs';

const posted = (body) => throughServer(echo(), async (port) => {
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, duplex: 'half' });
  return answer.arrayBuffer();
});

const streamed = (bytes, type) => new ReadableStream({
  type,
  start(controller) {
    controller.enqueue(bytes);
    controller.close();
  },
});

async function* once(bytes) {
  yield bytes;
}

async function throughForm(file) {
  const form = new FormData();
  form.append('file', file);
  const got = await new Response(form).formData();
  return got.get('file').arrayBuffer();
}

/** What a server gets of a message that `send(url)` sends. */
export async function throughWebSocket(send) {
  const { WebSocketServer } = await load('ws') ?? {};
  if (WebSocketServer === undefined) return MISSING;
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  try {
    return await new Promise((resolve, reject) => {
      server.on('connection', (connection) => connection.on('message', (data, isBinary) => {
        connection.terminate();
        resolve(isBinary === false ? Buffer.from(`text: ${data}`) : data);
      }));
      server.on('listening', () => send(`ws://127.0.0.1:${server.address().port}`, reject));
    });
  } finally {
    server.close();
  }
}

/** name => (what to send: bytes, or a Blob) => the bytes that arrived. */
export const WEB = {
  'new Blob()': (bytes) => new Blob([bytes]).arrayBuffer(),
  'new File()': (bytes) => (globalThis.File === undefined ? MISSING : new File([bytes], 'name').arrayBuffer()),
  'FormData, as a Blob': (bytes) => throughForm(new Blob([bytes])),
  'new Response()': (bytes) => new Response(bytes).arrayBuffer(),
  'new Request()': (bytes) => new Request('http://127.0.0.1/', { method: 'POST', body: bytes }).arrayBuffer(),
  'fetch() body': posted,
  'fetch() body, Readable.toWeb()': (bytes) => posted(Readable.toWeb(Readable.from([bytes]))),
  'fetch() body, async iterable': (bytes) => posted(once(bytes)),
  'ReadableStream as a Response': (bytes) => new Response(streamed(bytes)).arrayBuffer(),
  'ReadableStream of bytes': (bytes) => buffer(streamed(bytes, 'bytes')),
  'WebSocket.send()': (bytes) => (globalThis.WebSocket === undefined ? MISSING : throughWebSocket((url, reject) => {
    const socket = new WebSocket(url);
    socket.addEventListener('open', () => {
      try {
        socket.send(bytes);
      } catch (error) {
        socket.close();
        reject(error);
      }
    });
  })),
};
