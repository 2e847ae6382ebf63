// What console.log() shows of the package's objects, and that they hide what is private:
// lib/internal/inspect.ts.
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { mapAnonymous, mapFile, reserve } from 'memmap';
import { Barrier, Channel, Event, Mutex, RwLock, Semaphore, SharedMemory } from 'memmap/shm';
import { Store } from 'memmap/store';
import { endKept, keep } from '../support/shm/keep.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const NONE = '{ truncated: 0, noSpace: 0, memoryFailures: 0, violations: 0, afterClose: 0 }';
const shown = (object) => inspect(object, { breakLength: Infinity });

describe('util.inspect()', () => {
  const file = temporaryFiles();
  afterEach(endKept);

  it('shows of a mapping where it is from, how long it is, what it allows, whether it is closed, and its faults', () => {
    const path = file('inspected', Buffer.from('0123456789'));
    const mapping = keep(mapFile(path));
    assert.equal(shown(mapping), `FileMapping { path: '${path}', length: 10, access: 'read', closed: false, faults: ${NONE} }`);
    mapping.close();
    assert.match(shown(mapping), /^FileMapping \{ path: '.*', length: 10, access: 'read', closed: true, /);
    const memory = keep(mapAnonymous({ length: 4096 }));
    assert.equal(shown(memory), `AnonymousMapping { length: 4096, access: 'read-write', closed: false, faults: ${NONE} }`);
    assert.equal(shown(keep(reserve(65536))), 'Reservation { length: 65536, closed: false }');
  });

  it('shows of shared memory its name, length and seals', () => {
    const name = `memmap-inspect-${process.pid}`;
    const memory = keep(SharedMemory.create({ name, length: 4096 }));
    assert.equal(shown(memory), `SharedMemory { name: '${name}', length: 4096, seals: [ 'seal' ], closed: false }`);
    memory.unlink();
    memory.close();
    assert.equal(shown(memory), `SharedMemory { name: '${name}', closed: true }`);
    const sealed = keep(SharedMemory.create({ length: 4096 }));
    sealed.seal('shrink', 'grow');
    assert.equal(shown(sealed), "SharedMemory { length: 4096, seals: [ 'grow', 'shrink' ], closed: false }");
    assert.match(shown(keep(sealed.map())), /^SharedMapping \{ length: 4096, access: 'read-write', closed: false, /);
  });

  it('shows of a store its path and size', () => {
    const path = file('store', '');
    const store = keep(Store.open(path));
    store.put('a', Buffer.from('1'));
    assert.equal(shown(store), `Store { path: '${path}', size: 1, closed: false }`);
    store.close();
    assert.equal(shown(store), `Store { path: '${path}', closed: true }`);
  });

  it('shows of a channel its kind and capacity, of its ends whether they are closed', () => {
    const channel = keep(Channel.create({ capacity: 65536, kind: 'mpmc' }));
    assert.equal(shown(channel), "Channel { kind: 'mpmc', capacity: 65536, closed: false }");
    const [producer, consumer] = [keep(channel.producer()), keep(channel.consumer())];
    assert.deepEqual([shown(producer), shown(consumer)], ['Producer { closed: false }', 'Consumer { closed: false }']);
    producer.close();
    channel.close();
    assert.deepEqual([shown(producer), shown(channel)], ['Producer { closed: true }', "Channel { kind: 'mpmc', capacity: 65536, closed: true }"]);
  });

  it('shows the state of locks, and why it cannot be known', () => {
    const memory = keep(mapAnonymous({ length: 4096, sharing: 'shared' }));
    const mutex = new Mutex(memory, 0);
    assert.equal(shown(mutex), 'Mutex { locked: false }');
    mutex.lock();
    assert.equal(shown(mutex), 'Mutex { locked: true }');
    mutex.unlock();
    const lock = new RwLock(memory, 512);
    lock.lock();
    assert.equal(shown(lock), 'RwLock { locked: true }');
    lock.unlock();
    const semaphore = new Semaphore(memory, 1024);
    semaphore.release(3);
    assert.equal(shown(semaphore), 'Semaphore { value: 3 }');
    assert.equal(shown(new Event(memory, 1032)), 'Event { isSet: false }');
    assert.equal(shown(new Barrier(memory, 1040, 2)), 'Barrier { parties: 2 }');
    memory.close();
    assert.equal(shown(mutex), 'Mutex { locked: [ERR_MEMMAP_CLOSED] }');
  });

  it('shows nothing deeper than it was asked to', () => {
    const channel = keep(Channel.create({ capacity: 65536 }));
    assert.equal(inspect({ a: { channel } }, { depth: 0, breakLength: Infinity }), '{ a: [Object] }');
    assert.equal(inspect({ channel }, { depth: 0, breakLength: Infinity }), '{ channel: [Channel] }');
  });
});

describe('objects of the package', () => {
  const file = temporaryFiles();
  afterEach(endKept);

  it('have no property of their own but what is documented', () => {
    const memory = keep(SharedMemory.create({ length: 65536 }));
    const channel = keep(Channel.create({ capacity: 65536 }));
    const mapping = keep(memory.map());
    const owned = (object) => Object.keys(object);
    assert.deepEqual(owned(keep(mapFile(file('owned', 'x')))), ['path', 'filesystem']);
    assert.deepEqual(owned(memory), ['access', 'name']);
    assert.deepEqual(owned(keep(channel.producer())), ['limit']);
    for (const object of [mapping, channel, keep(channel.consumer()), new Mutex(mapping, 0), keep(Store.open(file('owned.db', ''))), keep(reserve(4096))]) {
      assert.deepEqual(owned(object), [], object.constructor.name);
    }
  });
});
