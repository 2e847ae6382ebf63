// Ways of code to reach the bytes of a mapping: natives of Node and of ours, on every thread.
// Each acts on { bytes, mapping } and returns what it found; two of the same contents give the same.
import assert from 'node:assert/strict';
import { createHash, randomFill, randomFillSync } from 'node:crypto';
import { closeSync, openSync, read, readSync, rmSync, write, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runInThisContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { gzip, gzipSync } from 'node:zlib';

function sum(bytes) {
  let total = 0;
  for (let i = 0; i < bytes.length; i++) total += bytes[i];
  return total;
}

function store(bytes) {
  for (let i = 0; i < bytes.length; i++) bytes[i] = i & 127;
}

/** Runs `f` compiled by TurboFan, and demands that it stays so. Needs --allow-natives-syntax. */
function turbofan(f, bytes) {
  const { loop, prepare, optimise, active } = runInThisContext(`({
    loop: ${f},
    prepare: (f) => %PrepareFunctionForOptimization(f),
    optimise: (f) => %OptimizeFunctionOnNextCall(f),
    active: (f) => %ActiveTierIsTurbofan(f),
  })`);
  const healthy = Buffer.from(new SharedArrayBuffer(2 ** 12));
  prepare(loop);
  loop(healthy);
  loop(healthy);
  optimise(loop);
  loop(healthy);
  assert.ok(active(loop), 'optimised before');
  const result = loop(bytes);
  assert.ok(active(loop), 'still optimised');
  return result;
}

/** The same loops on another thread. */
function inWorker(f, bytes) {
  const code = `const { parentPort, workerData } = require('node:worker_threads');
    parentPort.postMessage((${f})(workerData));`;
  const worker = new Worker(code, { eval: true, workerData: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) });
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

/** A module whose only function reads past the end of its memory. */
const TRAP = '0061736d010000000105016000017f030201000503010001070801047472617000000a0b010900419f8d062802000b';

/** Runs `f` between traps of WebAssembly, which are signals too and must stay exceptions. */
function besideWasm(f, bytes) {
  const trap = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(TRAP, 'hex'))).exports.trap;
  assert.throws(trap, WebAssembly.RuntimeError);
  const result = f(bytes);
  assert.throws(trap, WebAssembly.RuntimeError);
  return result;
}

const words = (bytes) => new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
const dataView = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** How far the kernel got with memory that it reached itself, with a file at its other end. */
async function transferred(flags, call) {
  const path = join(tmpdir(), `memmap-transfer-${process.pid}`);
  const fd = flags === 'r' ? openSync('/dev/zero', 'r') : openSync(path, flags);
  try {
    const count = await call(fd);
    return typeof count === 'number' ? count : (count.bytesRead ?? count.bytesWritten);
  } catch (error) {
    return error.code;
  } finally {
    closeSync(fd);
    rmSync(path, { force: true });
  }
}

const JITLESS = ['--jitless'];
const NATIVES = ['--allow-natives-syntax', '--no-use-osr', '--no-concurrent-recompilation'];

export const READS = {
  interpreter: { nodeArgs: JITLESS, run: ({ bytes }) => sum(bytes) },
  'TurboFan loop': { nodeArgs: NATIVES, run: ({ bytes }) => turbofan(sum, bytes) },
  loop: { run: ({ bytes }) => sum(bytes) },
  'Atomics.load': { run: ({ bytes }) => words(bytes).reduce((total, _, i, all) => total ^ Atomics.load(all, i), 0) },
  DataView: {
    run({ bytes }) {
      const view = dataView(bytes);
      let total = 0;
      for (let i = 0; i + 8 <= bytes.length; i += 8) total += view.getFloat64(i) === 0 ? 0 : 1;
      return total;
    },
  },
  'toString latin1': { run: ({ bytes }) => bytes.toString('latin1') },
  'toString utf8': { run: ({ bytes }) => bytes.toString('utf8') },
  'toString base64': { run: ({ bytes }) => bytes.toString('base64') },
  'toString hex': { run: ({ bytes }) => bytes.toString('hex') },
  indexOf: { run: ({ bytes }) => [bytes.indexOf('nowhere'), bytes.indexOf(1), bytes.lastIndexOf(0)] },
  equals: { run: ({ bytes }) => [bytes.equals(Buffer.from(bytes)), bytes.compare(Buffer.alloc(bytes.length, 'line'))] },
  'copy out': {
    run({ bytes }) {
      const target = Buffer.alloc(bytes.length);
      bytes.copy(target);
      return target;
    },
  },
  'TypedArray.set from it': {
    run({ bytes }) {
      const target = new Uint8Array(bytes.length);
      target.set(bytes);
      return target;
    },
  },
  TextDecoder: { run: ({ bytes }) => new TextDecoder('latin1').decode(bytes) + new TextDecoder().decode(bytes) },
  JSON: { run: ({ bytes }) => JSON.parse(`{"text":${JSON.stringify(bytes.toString('latin1'))}}`) },
  'crypto hash': { run: ({ bytes }) => createHash('sha256').update(bytes).digest('hex') },
  gzipSync: { run: ({ bytes }) => gzipSync(bytes, { level: 1 }) },
  'gzip in the thread pool': { run: ({ bytes }) => promisify(gzip)(bytes, { level: 1 }) },
  'mapping.count': { ofMapping: true, run: ({ mapping }) => mapping.count(0) },
  'mapping.indexOf': { ofMapping: true, run: ({ mapping }) => [mapping.indexOf('nowhere'), mapping.indexOf(1)] },
  'mapping.lines': { ofMapping: true, run: ({ mapping }) => Array.from(mapping.lines(), (line) => line.length) },
  'worker thread': { run: ({ bytes }) => inWorker(sum, bytes) },
  'beside WebAssembly': { run: ({ bytes }) => besideWasm(sum, bytes) },
  'fs.writeSync': { silent: true, run: ({ bytes }) => transferred('w', (fd) => writeSync(fd, bytes)) },
  'fs.write': { silent: true, run: ({ bytes }) => transferred('w', (fd) => promisify(write)(fd, bytes)) },
};

/** Of random bytes: that there are some, and known ones in their place. */
function wasFilled(bytes) {
  const filled = bytes.some((byte) => byte !== 0);
  bytes.fill(7);
  return filled;
}

export const WRITES = {
  interpreter: { nodeArgs: JITLESS, run: ({ bytes }) => store(bytes) },
  'TurboFan loop': { nodeArgs: NATIVES, run: ({ bytes }) => turbofan(store, bytes) },
  loop: { run: ({ bytes }) => store(bytes) },
  'Atomics.store': { run: ({ bytes }) => words(bytes).forEach((_, i, all) => Atomics.store(all, i, i)) },
  'Atomics.add': { run: ({ bytes }) => words(bytes).forEach((_, i, all) => Atomics.add(all, i, i)) },
  DataView: {
    run({ bytes }) {
      const view = dataView(bytes);
      for (let i = 0; i + 8 <= bytes.length; i += 8) view.setFloat64(i, i);
    },
  },
  fill: { run: ({ bytes }) => void bytes.fill('fill') },
  'write utf8': { run: ({ bytes }) => bytes.write('\u00e9'.repeat(bytes.length / 2)) },
  'write latin1': { run: ({ bytes }) => bytes.write('w'.repeat(bytes.length), 'latin1') },
  'write hex': { run: ({ bytes }) => bytes.write('2a'.repeat(bytes.length), 'hex') },
  'copy in': { run: ({ bytes }) => Buffer.alloc(bytes.length, 'copy').copy(bytes) },
  'TypedArray.set': { run: ({ bytes }) => bytes.set(new Uint8Array(bytes.length).fill(9)) },
  'TypedArray.fill': { run: ({ bytes }) => void words(bytes).fill(0x01020304) },
  'TypedArray.sort': { run: ({ bytes }) => void Int32Array.prototype.sort.call(words(bytes)) },
  'TextEncoder.encodeInto': {
    run({ bytes }) {
      // TextEncoder refuses shared memory on some runtimes; the same bytes then go another way.
      const text = 'e'.repeat(bytes.length);
      try {
        new TextEncoder().encodeInto(text, bytes);
      } catch (error) {
        assert.equal(error.name, 'TypeError');
        bytes.write(text);
      }
    },
  },
  randomFillSync: { run: ({ bytes }) => (randomFillSync(bytes), wasFilled(bytes)) },
  'randomFill in the thread pool': { run: async ({ bytes }) => wasFilled(await promisify(randomFill)(bytes)) },
  'worker thread': { run: ({ bytes }) => inWorker(store, bytes) },
  'beside WebAssembly': { run: ({ bytes }) => besideWasm(store, bytes) },
  'fs.readSync': { silent: true, run: ({ bytes }) => transferred('r', (fd) => readSync(fd, bytes)) },
  'fs.read': { silent: true, run: ({ bytes }) => transferred('r', (fd) => promisify(read)(fd, bytes, 0, bytes.length, 0)) },
};

/** Accesses plain enough to die of, without the guard. */
export const FATAL = { reads: ['interpreter', 'copy out', 'worker thread'], writes: ['interpreter', 'fill', 'worker thread'] };
