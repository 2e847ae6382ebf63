// Values of another realm are taken for what they are, and the package works in a vm context, as jest and vitest make them:
// lib/internal/realms/kinds.ts, lib/internal/realms/dispose.ts, lib/internal/copies.ts.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import vm from 'node:vm';
import { guard, mapAnonymous, mapFile, touch } from 'memmap';
import { Channel, Mutex, connect, listen, receiveFds, sendFds } from 'memmap/shm';
import { Store } from 'memmap/store';
import { MAP, PROT, madvise, mincore, mmap, move_pages, munmap } from 'memmap/sys';
import { endKept, keep } from '../support/shm/keep.mjs';
import { runs } from '../support/process/run.mjs';
import { itExternal } from '../support/process/runtime.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const context = vm.createContext({ EventTarget, Event });
const inContext = (expression) => vm.runInContext(`(${expression})`, context);
const codeOf = (code) => ({ code });

describe('values of another vm context', () => {
  const file = temporaryFiles();
  afterEach(endKept);

  const foreign = (text) => inContext(`Uint8Array.from(${JSON.stringify([...Buffer.from(text)])})`);

  it('are not of the classes of this one', () => {
    assert.equal(foreign('abc') instanceof Uint8Array, false);
    assert.equal(inContext('async () => {}')() instanceof Promise, false);
    assert.equal(inContext('new SharedArrayBuffer(8)') instanceof SharedArrayBuffer, false);
  });

  it('arrays are bytes to copy, to search for, and to store', () => {
    const memory = keep(mapAnonymous({ length: 4096 }));
    memory.copyIn(10, foreign('abc'));
    assert.equal(memory.copyOut(10, 3).toString(), 'abc');
    assert.equal(memory.indexOf(foreign('bc')), 11);
    assert.equal(memory.lastIndexOf(foreign('abc')), 10);
    const store = keep(Store.open(file('store')));
    store.put(foreign('key'), foreign('value'));
    assert.equal(store.get(foreign('key')).toString(), 'value');
  });

  it('arrays are paths, and payloads beside descriptors', async () => {
    writeFileSync(file('named'), 'content');
    assert.equal(keep(mapFile(foreign(file('named')))).bytes.toString(), 'content');
    const received = new Promise((resolve) => {
      keep(listen(file('socket'), (connection) => resolve(receiveFds(keep(connection)))));
    });
    const connection = keep(await connect(file('socket')));
    await sendFds(connection, [], foreign('payload'));
    assert.equal((await received).payload.toString(), 'payload');
  });

  it('buffers and arrays are addresses and results of system calls', () => {
    const buffer = mmap(null, 8192, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS, -1, 0);
    const view = inContext('(buffer) => new Int32Array(buffer, 0, buffer.byteLength / 4)')(buffer);
    view[0] = 1;
    madvise(view, undefined, 0);
    const vec = inContext('new Uint8Array(2)');
    assert.equal(mincore(buffer, 8192, vec), vec);
    assert.equal(vec[0] & 1, 1);
    assert.equal(move_pages(0, inContext('new BigUint64Array(0)'), null, 0).length, 0);
    for (const other of ['new ArrayBuffer(4096)', 'new SharedArrayBuffer(4096)']) {
      assert.throws(() => madvise(inContext(other), 4096, 0), codeOf('ERR_MEMMAP_FOREIGN_ADDRESS'));
    }
    munmap(buffer, 8192);
  });

  it('a shared buffer that is not of a mapping is refused for its memory, not for its type', () => {
    const own = new SharedArrayBuffer(4096);
    for (const memory of [own, inContext('new SharedArrayBuffer(4096)')]) {
      assert.throws(() => new Mutex(memory, 0).tryLock(), codeOf('ERR_MEMMAP_FOREIGN_ADDRESS'));
    }
  });

  it('guard() awaits a promise', async () => {
    const path = file('shrinks', Buffer.alloc(8192));
    const mapping = keep(mapFile(path));
    mapping.bytes;
    truncateSync(path, 0);
    const reads = inContext('async (f) => { await null; f(); }');
    await assert.rejects(guard(() => reads(() => mapping.bytes[0])), codeOf('ERR_MEMMAP_FAULT'));
  });

  it('a signal, as of jsdom, and a URL are taken by what they have', async () => {
    const OtherSignal = inContext(`class AbortSignal extends EventTarget {
      aborted = false;
      abort(reason) { this.aborted = true; this.reason = reason; this.dispatchEvent(new Event('abort')); }
      throwIfAborted() { if (this.aborted) throw this.reason; }
    }`);
    const ended = new OtherSignal();
    ended.abort(Object.assign(new Error('enough'), { code: 'ENOUGH' }));
    mkdirSync(file('folder'));
    await assert.rejects(touch([file('folder')], { signal: ended }), codeOf('ENOUGH'));
    const waits = new OtherSignal();
    const channel = keep(Channel.create({ capacity: 4096 }));
    const received = keep(channel.consumer()).receive({ signal: waits });
    waits.abort(Object.assign(new Error('enough'), { code: 'ENOUGH' }));
    await assert.rejects(received, codeOf('ENOUGH'));

    const { href, protocol, hostname, pathname } = new URL(`file://${file('by-url', 'content')}`);
    const url = inContext('(parts) => Object.assign(Object.create(null), parts)')({ href, protocol, hostname, pathname });
    assert.equal(keep(mapFile(url)).bytes.toString(), 'content');
    keep(Store.open(Object.assign(url, { href: `${href}.store`, pathname: `${pathname}.store` })));
    assert.ok(existsSync(`${file('by-url')}.store`));
  });

  it('what only looks like one of them is refused', () => {
    const memory = keep(mapAnonymous({ length: 4096 }));
    for (const fake of [Object.create(Uint8Array.prototype), { length: 1, 0: 1 }, inContext('[1]'), inContext('new Int8Array(1)')]) {
      assert.throws(() => memory.copyIn(0, fake), codeOf('ERR_INVALID_ARG_TYPE'));
    }
    for (const signal of [{}, { aborted: true }, null]) {
      assert.throws(() => new Mutex(memory, 0).lock({ signal }), (error) => error instanceof TypeError);
    }
    assert.throws(() => mapFile({ href: 'file:///', protocol: 'file:', auth: null, path: '/' }), codeOf('ERR_INVALID_ARG_TYPE'));
  });
});

describe('the package in a vm context', () => {
  const file = temporaryFiles();
  let results;

  before(async () => {
    const { stdout } = await runs('vm-context', [file('')], { nodeArgs: ['--experimental-vm-modules', '--no-warnings'] });
    results = JSON.parse(stdout);
  });

  const CHECKS = [
    'the context has classes of its own, and Node makes what is not of them',
    'a shared buffer is taken for one',
    'Buffers are bytes, and so are arrays of the context',
    'paths are Buffers and URLs, of any bytes',
    'a socket path that is taken is EADDRINUSE',
    "an error of node:fs becomes the package's",
    'sockets, words and faults are reported',
    'guard() awaits promises of either context',
    'signals are those of Node',
    'locks are in the shared buffer of a mapping',
    '`using` of the main context closes',
  ];
  const EXTERNAL = ['an ArrayBuffer is taken for one, and its transfer is noticed', 'system calls take either buffer'];

  const COPIES = ['first', 'second'];

  it('passes each check of the fixture', () => {
    const all = COPIES.flatMap((copy) => [...CHECKS, ...EXTERNAL].map((name) => `${name} (${copy} copy)`));
    assert.deepEqual(Object.keys(results).toSorted(), all.toSorted());
  });

  const passes = (name) => () => {
    for (const copy of COPIES) assert.equal(results[`${name} (${copy} copy)`], null);
  };
  for (const name of CHECKS) it(name, passes(name));
  for (const name of EXTERNAL) itExternal(name, passes(name));
});
