// An option that is undefined is as if it were absent: lib/internal/validate.ts, lib/internal/resolved.ts.
import assert from 'node:assert/strict';
import { dump, dumpAll, mapAnonymous, mapFile, maps, reserve, residencyOfAll, restore, restoreAll, touch } from 'memmap';
import { Channel, Mutex, SharedMemory } from 'memmap/shm';
import { Store } from 'memmap/store';
import { endKept, keep } from '../support/shm/keep.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const none = (...names) => Object.fromEntries(names.map((name) => [name, undefined]));
const MAP = ['buffer', 'populate', 'lock', 'advice', 'noReserve', 'allowWriteExec'];
const RANGE = none('offset', 'length');

describe('options that are undefined', () => {
  const file = temporaryFiles();
  afterEach(endKept);

  it('are as if they were absent', async () => {
    const path = file('undefined', Buffer.alloc(8192, 'f'));
    const fileOptions = none('access', 'offset', 'length', 'create', 'size', 'hugePages', 'sync', ...MAP);
    const mapping = keep(mapFile(path, fileOptions));
    assert.equal(mapping.length, 8192);
    const memory = keep(mapAnonymous({ length: 4096, ...none('sharing', 'access', 'hugePages', 'address', 'placement', 'droppable', 'growsDown', ...MAP) }));
    memory.lock({ ...RANGE, ...none('onFault') });
    memory.unlock(RANGE);
    memory.protect('read', RANGE, none('allowWriteExec'));
    assert.equal(memory.view(Int32Array, none('offset', 'count')).length, 1024);
    assert.equal(memory.dataView(RANGE).byteLength, 4096);
    await memory.populateAsync({ ...RANGE, ...none('signal', 'onProgress') });
    assert.equal([...mapping.windows(none('size', 'overlap'))].length, 1);
    maps(none('pid', 'usage'));
    const space = keep(reserve(2 ** 20));
    assert.equal(space.place(0, { file: path, ...fileOptions }).length, 8192);
    await touch([path], none('offset', 'length', 'rate', 'signal', 'onFile', 'onProgress'));
    await restore(dump(path), none('rate', 'signal', 'onProgress'));
    await residencyOfAll([path], none('offset', 'length', 'signal', 'onFile'));
    await dumpAll([path], none('signal', 'onFile'));
    await restoreAll([dump(path)], none('rate', 'signal', 'onFile', 'onProgress'));
    const shared = keep(SharedMemory.create({ length: 4096, ...none('name', 'hugePages', 'secret') }));
    const lock = new Mutex(keep(shared.map(none('access', 'buffer'))), 0);
    lock.lock(none('timeout'));
    lock.unlock();
    await lock.lockAsync(none('timeout', 'signal'));
    lock.unlock();
    keep(SharedMemory.fromFd(shared.fd, none('require', 'length')));
    const channel = keep(Channel.create({ capacity: 65_536, ...none('kind', 'slow') }));
    keep(channel.producer(none('spin')));
    const store = Store.open(file('store'), none('readOnly', 'durability', 'salvage', 'timeout'));
    store.put('key', Buffer.from('value'));
    await store.compact(none('waste', 'signal', 'onProgress'));
    store.close();
  });
});
