// Ways out into packages of npm: native addons, and clients written in JavaScript (packages/package.json).
import { rmSync } from 'node:fs';
import { CONTENT, MISSING, proof } from './content.mjs';
import { load } from '../../packages/load.mjs';
import { echo, throughServer } from './places.mjs';
import { throughWebSocket } from './web.mjs';

/** A way out of a package: MISSING where the package is not installed, or has no build for this runtime. */
const of = (name, use) => async (bytes, path) => {
  const loaded = await load(name);
  return loaded === undefined ? MISSING : use(loaded, bytes, path);
};

/** name => (bytes, path of a file to write) => the bytes that arrived. */
export const ADDONS = {
  'better-sqlite3, a BLOB': of('better-sqlite3', ({ default: Database }, bytes) => {
    let database;
    try {
      database = new Database(':memory:'); // loads the addon
    } catch {
      return MISSING;
    }
    database.exec('CREATE TABLE blobs (bytes BLOB)');
    database.prepare('INSERT INTO blobs VALUES (?)').run(bytes);
    return database.prepare('SELECT bytes FROM blobs').get().bytes;
  }),
  'lmdb put()': of('lmdb', async ({ open }, bytes, path) => {
    rmSync(path, { force: true });
    const database = open({ path: `${path}.lmdb`, encoding: 'binary' });
    try {
      await database.put('key', bytes);
      return Buffer.from(database.getBinary('key'));
    } finally {
      await database.close();
    }
  }),
  'sharp(), raw pixels': of('sharp', ({ default: sharp }, bytes) => sharp(bytes, { raw: { width: 16, height: 16, channels: 1 } }).toColourspace('b-w').raw().toBuffer()),
  'sodium-native crypto_generichash()': of('sodium-native', ({ default: sodium }, bytes) => {
    const hash = (input) => {
      const output = Buffer.alloc(sodium.crypto_generichash_BYTES);
      sodium.crypto_generichash(output, input);
      return output;
    };
    return proof(hash(bytes), hash(CONTENT));
  }),
  'sodium-native crypto_secretbox_easy()': of('sodium-native', ({ default: sodium }, bytes) => {
    const [nonce, key] = [Buffer.alloc(sodium.crypto_secretbox_NONCEBYTES), Buffer.alloc(sodium.crypto_secretbox_KEYBYTES)];
    const secret = Buffer.alloc(bytes.length + sodium.crypto_secretbox_MACBYTES);
    sodium.crypto_secretbox_easy(secret, bytes, nonce, key);
    const opened = Buffer.alloc(bytes.length);
    sodium.crypto_secretbox_open_easy(opened, secret, nonce, key);
    return opened;
  }),
  'node-zstd encode()': of('@toondepauw/node-zstd', async ({ Encoder, Decoder }, bytes) => new Decoder().decodeSync(await new Encoder(3).encode(bytes))),
  'undici request() body': of('undici', ({ request }, bytes) => throughServer(echo(), async (port) => {
    const { body } = await request(`http://127.0.0.1:${port}/`, { method: 'POST', body: bytes });
    return body.arrayBuffer();
  })),
  'ws send()': of('ws', ({ WebSocket }, bytes) => throughWebSocket((url, reject) => {
    const socket = new WebSocket(url);
    socket.on('error', reject);
    socket.on('open', () => socket.send(bytes));
  })),
};
