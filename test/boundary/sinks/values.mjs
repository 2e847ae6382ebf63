// Ways out whose result is a value: digests, compressed bytes, texts, copies.
import { Buffer } from 'node:buffer';
import crypto from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { StringDecoder } from 'node:string_decoder';
import v8 from 'node:v8';
import zlib from 'node:zlib';
import { CONTENT, MISSING, proof, sha256 } from './content.mjs';

/** Every promise settles with the result: one that nobody awaits must not end the process. */
async function throughTransform(transform, bytes) {
  const writer = transform.writable.getWriter();
  const written = Promise.all([writer.write(bytes), writer.close()]);
  const [chunks] = await Promise.all([Array.fromAsync?.(transform.readable) ?? all(transform.readable), written]);
  return chunks;
}

async function all(iterable) {
  const values = [];
  for await (const value of iterable) values.push(value);
  return values;
}

const called = (call) => new Promise((resolve, reject) => {
  call((error, result) => (error ? reject(error) : resolve(result)));
});

const digests = {
  'crypto.createHash()': (bytes) => proof(sha256(bytes), sha256(CONTENT)),
  'crypto.createHmac(), key and data'(bytes) {
    const hmac = (of) => crypto.createHmac('sha256', of).update(of).digest();
    return proof(hmac(bytes), hmac(CONTENT));
  },
  'crypto.hash()': (bytes) => (crypto.hash === undefined ? MISSING : proof(Buffer.from(crypto.hash('sha256', bytes), 'hex'), sha256(CONTENT))),
  'crypto.subtle.digest()': async (bytes) => proof(await crypto.subtle.digest('SHA-256', bytes), sha256(CONTENT)),
  async 'crypto.subtle.encrypt()'(bytes) {
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    const algorithm = { name: 'AES-GCM', iv: new Uint8Array(12) };
    return crypto.subtle.decrypt(algorithm, key, await crypto.subtle.encrypt(algorithm, key, bytes));
  },
  'crypto.createCipheriv()'(bytes) {
    const [key, iv] = [Buffer.alloc(32), Buffer.alloc(16)];
    const secret = crypto.createCipheriv('aes-256-ctr', key, iv).update(bytes);
    return crypto.createDecipheriv('aes-256-ctr', key, iv).update(secret);
  },
  'crypto.sign()'(bytes) {
    const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
    return crypto.verify(null, CONTENT, publicKey, crypto.sign(null, bytes, privateKey)) ? CONTENT : Buffer.alloc(0);
  },
  'crypto.timingSafeEqual()': (bytes) => (crypto.timingSafeEqual(bytes, CONTENT) ? CONTENT : Buffer.alloc(0)),
};

const compressors = {
  'zlib.gzipSync()': (bytes) => zlib.gunzipSync(zlib.gzipSync(bytes)),
  'zlib.deflate()': async (bytes) => zlib.inflateSync(await called((done) => zlib.deflate(bytes, done))),
  'zlib.createDeflate()': async (bytes) => zlib.inflateSync(await buffer(Readable.from([bytes]).pipe(zlib.createDeflate()))),
  'zlib.brotliCompressSync()': (bytes) => zlib.brotliDecompressSync(zlib.brotliCompressSync(bytes)),
  'zlib.zstdCompressSync()': (bytes) => (zlib.zstdCompressSync === undefined ? MISSING : zlib.zstdDecompressSync(zlib.zstdCompressSync(bytes))),
  'zlib.crc32()': (bytes) => (zlib.crc32 === undefined ? MISSING : proof([zlib.crc32(bytes) % 251], [zlib.crc32(CONTENT) % 251])),
  async CompressionStream(bytes) {
    if (globalThis.CompressionStream === undefined) return MISSING;
    return zlib.gunzipSync(Buffer.concat(await throughTransform(new CompressionStream('gzip'), bytes)));
  },
};

const texts = {
  TextDecoder: (bytes) => proof(Buffer.from(new TextDecoder('utf-16le').decode(bytes)), Buffer.from(new TextDecoder('utf-16le').decode(CONTENT))),
  async TextDecoderStream(bytes) {
    if (globalThis.TextDecoderStream === undefined) return MISSING;
    const chunks = await throughTransform(new TextDecoderStream('utf-16le'), bytes);
    return proof(Buffer.from(chunks.join('')), Buffer.from(new TextDecoder('utf-16le').decode(CONTENT)));
  },
  StringDecoder: (bytes) => Buffer.from(new StringDecoder('latin1').end(bytes), 'latin1'),
};

const copies = {
  'structuredClone()': (bytes) => structuredClone(bytes),
  'v8.serialize()': (bytes) => v8.deserialize(v8.serialize(bytes)),
  'Buffer.from()': (bytes) => Buffer.from(bytes),
  'Buffer.concat()': (bytes) => Buffer.concat([bytes]),
  'Uint8Array.from()': (bytes) => Uint8Array.from(bytes),
  'set() into a WebAssembly.Memory'(bytes) {
    const to = new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer, 0, CONTENT.length);
    to.set(bytes);
    return to;
  },
};

/** name => (bytes) => the bytes that arrived. */
export const VALUES = { ...digests, ...compressors, ...texts, ...copies };
