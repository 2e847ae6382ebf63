// maps() is what /proc/PID/maps and smaps say, of this process and others: lib/mem/maps/{maps,usage}.ts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { readFileSync, readlinkSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isDeepStrictEqual } from 'node:util';

import { mapAnonymous, mapFile, maps, reserve } from 'memmap';
import { PAGE_SIZE, PROT, mprotect } from 'memmap/sys';

import { skip } from '../../support/hooks.mjs';
import { hugePagePool } from '../../support/kernel/huge-pages.mjs';
import { maps as linesOf, smapsAt } from '../../support/kernel/proc.mjs';
import { runs } from '../../support/process/run.mjs';
import { itExternal } from '../../support/process/runtime.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

const page = BigInt(PAGE_SIZE);
const entryAt = (address, options) => maps({ ...options, at: address }).mappings[0];
/** The entry at an address, as the whole text gives it. */
const inText = (address) => maps().mappings.find(({ start, end }) => start <= address && address < end);
const stateOf = (pid) => readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '')[0];

/** A process that sleeps: nothing in it changes. */
function sleeper() {
  let child;
  before(async () => {
    child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    await once(child, 'spawn');
    await until(() => readFileSync(`/proc/${child.pid}/wchan`, 'latin1') !== '' && stateOf(child.pid) === 'S'
      && readlinkSync(`/proc/${child.pid}/exe`).includes('sleep'), 'the child sleeps');
  });
  after(() => child.kill('SIGKILL'));
  return () => child.pid;
}

/** Its smaps, and what `look` gave between two looks at them: who maps the same libraries comes and goes. */
function between(smaps, look) {
  for (;;) {
    const before = smaps();
    const found = look();
    if (isDeepStrictEqual(smaps(), before)) return [before, found];
  }
}

/** An entry as a line of the text has it. */
function asLine({ start, end, readable, writable, executable, shared, offset, device, inode, path, deleted, name }) {
  const permissions = `${readable ? 'r' : '-'}${writable ? 'w' : '-'}${executable ? 'x' : '-'}${shared ? 's' : 'p'}`;
  return { start, end, permissions, offset, device, inode, path: name ?? `${path ?? ''}${deleted ? ' (deleted)' : ''}` };
}

describe('maps', () => {
  const file = temporaryFiles();
  const pid = sleeper();

  describe('arguments', () => {
    it('takes a process and an address that can be', () => {
      for (const wrong of [0, -1, 2 ** 31, 1.5, NaN]) assert.throws(() => maps({ pid: wrong }), { code: 'ERR_OUT_OF_RANGE' });
      for (const wrong of [-1n, 2n ** 64n]) assert.throws(() => maps({ at: wrong }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => maps({ pid: '1' }), { code: 'ERR_INVALID_ARG_TYPE' });
    });
  });

  describe('of a process', () => {
    it('is its /proc/PID/maps, line by line', () => {
      const { mappings, count, limit } = maps({ pid: pid() });
      const lines = linesOf(pid());
      assert.deepEqual(mappings.map(asLine), lines);
      assert.ok(mappings.every(({ start, end, length, memmap }) => length === Number(end - start) && !memmap));
      assert.equal(count, lines.filter(({ path }) => path !== '[vsyscall]').length);
      assert.equal(limit, Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8')));
    });

    it('has with usage what smaps says of each mapping, and of all', () => {
      const [smaps, { mappings, total }] = between(() => readFileSync(`/proc/${pid()}/smaps`, 'latin1'), () => maps({ pid: pid(), usage: true }));
      assert.deepEqual(mappings.map(asLine), linesOf(pid()));
      const sum = (field) => [...smaps.matchAll(new RegExp(`^${field}: +(\\d+) kB`, 'gm'))]
        .reduce((bytes, [, kilobytes]) => bytes + Number(kilobytes) * 1024, 0);
      const fields = {
        resident: 'Rss', proportional: 'Pss', sharedClean: 'Shared_Clean', privateDirty: 'Private_Dirty',
        anonymous: 'Anonymous', swapped: 'Swap', locked: 'Locked',
      };
      assert.ok(total.resident > 0);
      for (const [name, field] of Object.entries(fields)) {
        assert.equal(total[name], sum(field), name);
        assert.equal(mappings.reduce((bytes, { usage }) => bytes + usage[name], 0), sum(field), name);
      }
    });

    it('finds the one mapping at an address', () => {
      const [first, second] = maps({ pid: pid() }).mappings;
      assert.deepEqual(maps({ pid: pid(), at: first.start }).mappings, [first]);
      assert.deepEqual(maps({ pid: pid(), at: first.end - 1n }).mappings, [first]);
      assert.deepEqual(maps({ pid: pid(), at: second.start }).mappings, [second]);
      assert.deepEqual(maps({ pid: pid(), at: 0n }), { mappings: [], total: undefined });
      const { mappings: [entry], total } = maps({ pid: pid(), at: second.start, usage: true });
      assert.equal(entry.start, second.start);
      assert.equal(total.resident, entry.usage.resident);
    });

    it('that is not there is ENOENT with a sentence', async () => {
      const child = spawn('true');
      await once(child, 'exit');
      assert.throws(() => maps({ pid: child.pid }), {
        name: 'SystemError',
        code: 'ENOENT',
        errno: -2,
        syscall: 'open',
        path: `/proc/${child.pid}/maps`,
        message: new RegExp(`Process ${child.pid} does not exist, or /proc hides it`),
      });
    });

    it('that is a zombie, or a thread of the kernel, has none', async function () {
      const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
      const zombie = Number((await once(parent.stdout, 'data'))[0]);
      const nameOf = (id) => readFileSync(`/proc/${id}/comm`, 'latin1').trim();
      try {
        // A shell would reap it; sleep does not.
        await until(() => nameOf(parent.pid) === 'sleep', 'the shell has become sleep');
        process.kill(zombie, 'SIGKILL');
        await until(() => stateOf(zombie) === 'Z', 'its child ends');
        const { mappings, count } = maps({ pid: zombie });
        assert.deepEqual([mappings, count], [[], 0]);
        assert.deepEqual(maps({ pid: zombie, at: 4096n }).mappings, []);
      } finally {
        parent.kill('SIGKILL');
      }
      if (process.getuid() !== 0) skip(this, 'only root may look at the threads of the kernel');
      if (!/^Name:\tkthreadd$/m.test(readFileSync('/proc/2/status', 'utf8'))) skip(this, 'a container shows no threads of the kernel');
      assert.deepEqual(maps({ pid: 2 }).mappings, []);
      assert.deepEqual(maps({ pid: 2, usage: true }).mappings, []);
    });

    for (const usage of [false, true]) {
      it(`that ends while it is read is ESRCH, never a part (${usage ? 'smaps' : 'maps'})`, async () => {
        const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1e6)'], { stdio: ['ignore', 'pipe', 'ignore'] });
        await once(child.stdout, 'data');
        const { readSync } = fs;
        let reads = 0;
        fs.readSync = (...args) => {
          const got = readSync(...args);
          reads += 1;
          if (reads === 1) {
            child.kill('SIGKILL');
            // Its memory goes with the last of its threads. Node reaps it only once this thread is back in its loop.
            while (stateOf(child.pid) !== 'Z' || fs.readdirSync(`/proc/${child.pid}/task`).length > 1);
          }
          return got;
        };
        syncBuiltinESMExports();
        try {
          assert.throws(() => maps({ pid: child.pid, usage }), {
            name: 'SystemError', code: 'ESRCH', errno: -3, syscall: 'read', message: /ended or started another program/,
          });
          assert.ok(reads > 1);
        } finally {
          fs.readSync = readSync;
          syncBuiltinESMExports();
        }
      });
    }

    it("that is another user's is an error with a sentence", async function () {
      const status = readFileSync('/proc/1/status', 'utf8');
      if (!/^Uid:\t0\t/m.test(status)) skip(this, "process 1 is not root's here");
      await runs('foreign-map');
    });
  });

  describe('of this process', () => {
    itExternal('says what may be done with the memory, and whose the writes are', () => {
      const path = file('kinds', Buffer.alloc(3 * PAGE_SIZE));
      const what = (mapping) => {
        const { length, readable, writable, executable, shared, offset, memmap, ...entry } = inText(mapping.address);
        mapping.close();
        return [length, readable, writable, executable, shared, offset, memmap, entry.path];
      };
      const array = { buffer: 'array' };
      const two = 2 * PAGE_SIZE;
      assert.deepEqual(what(mapFile(path, { ...array, offset: PAGE_SIZE })), [two, true, false, false, false, PAGE_SIZE, true, path]);
      assert.deepEqual(what(mapFile(path, { ...array, access: 'read-write', length: two })), [two, true, true, false, true, 0, true, path]);
      assert.deepEqual(what(mapFile(path, { ...array, access: 'copy-on-write', length: two })), [two, true, true, false, false, 0, true, path]);
      const code = mapAnonymous({ ...array, length: two, access: 'read-execute', sharing: 'shared' });
      assert.deepEqual(what(code), [two, true, false, true, true, 0, true, '/memfd:memmap']);
      assert.deepEqual(what(reserve(two)).slice(1), [false, false, false, false, 0, true, undefined]);
    });

    for (const buffer of ['shared', 'array']) {
      const its = buffer === 'array' ? itExternal : it;
      its(`tells memory of memmap from that of others, from map to close (buffer: '${buffer}')`, () => {
        const mapping = mapFile(file(`ours-${buffer}`, 'bytes'), { buffer });
        assert.equal(inText(mapping.address).memmap, true);
        assert.equal(mapping.bytes[0], 98);
        const { address } = mapping; // a buffer of the runtime has moved it
        assert.equal(inText(address).memmap, true);
        assert.equal(entryAt(address).memmap, true);
        assert.equal(entryAt(address, { usage: true }).memmap, true);
        const others = maps().mappings.filter(({ name, path }) => name === '[heap]' || name === '[stack]' || path === process.execPath);
        assert.ok(others.length > 2);
        assert.ok(others.every(({ memmap }) => !memmap));
        mapping.close();
      });
    }

    it('a mapping that is closed is gone, or closed pages of memmap while its buffer is about', () => {
      const path = file('closed', 'bytes');
      const lent = mapFile(path);
      const { bytes, address } = lent;
      lent.close();
      const left = entryAt(address);
      if (left !== undefined) assert.deepEqual([left.memmap, left.path, left.readable], [true, '/memfd:memmap-closed', false]);
      assert.ok(bytes.length === 0 || bytes[0] === 0);
      mapFile(path).close();
      assert.ok(maps().mappings.every((entry) => entry.path !== path));
    });

    it('counts a mapping more for each that is added', () => {
      const space = reserve(400 * PAGE_SIZE);
      const { count } = maps();
      for (let i = 1; i < 400; i += 2) mprotect(space.address + BigInt(i) * page, PAGE_SIZE, PROT.READ);
      const more = maps().count - count;
      assert.ok(more >= 350 && more <= 450, `${more} more`);
      space.close();
    });

    itExternal('has with usage what smaps says of the mapping', () => {
      const memory = mapAnonymous({ length: 64 * PAGE_SIZE, advice: 'nohugepage', buffer: 'array' });
      memory.bytes.fill(1, 0, 10 * PAGE_SIZE);
      memory.lock({ length: 64 * PAGE_SIZE });
      const [smaps, { usage }] = between(() => smapsAt(memory.address), () => entryAt(memory.address, { usage: true }));
      const bytes = (field) => smaps[field] * 1024;
      assert.deepEqual(usage, {
        resident: bytes('Rss'),
        proportional: bytes('Pss'),
        proportionalDirty: 'Pss_Dirty' in smaps ? bytes('Pss_Dirty') : undefined,
        sharedClean: bytes('Shared_Clean'),
        sharedDirty: bytes('Shared_Dirty'),
        privateClean: bytes('Private_Clean'),
        privateDirty: bytes('Private_Dirty'),
        referenced: bytes('Referenced'),
        anonymous: bytes('Anonymous'),
        lazyFree: bytes('LazyFree'),
        swapped: bytes('Swap'),
        swappedProportional: bytes('SwapPss'),
        locked: bytes('Locked'),
        hugeTransparent: { anonymous: bytes('AnonHugePages'), shared: bytes('ShmemPmdMapped'), file: bytes('FilePmdMapped') },
        hugePool: { shared: bytes('Shared_Hugetlb'), private: bytes('Private_Hugetlb') },
        pageSize: PAGE_SIZE,
        mmuPageSize: bytes('MMUPageSize'),
        protectionKey: smaps.ProtectionKey,
        flags: smaps.VmFlags,
      });
      assert.equal(usage.locked, 64 * PAGE_SIZE);
      assert.ok(usage.flags.includes('lo'));
      memory.close();
    });

    describe('with huge pages', () => {
      const HUGE = 2 ** 21;
      hugePagePool(HUGE, 1);

      itExternal('counts those of a pool apart', () => {
        const memory = mapAnonymous({ length: HUGE, hugePages: '2MB' });
        memory.bytes[0] = 1;
        const { usage } = entryAt(memory.address, { usage: true });
        assert.deepEqual([usage.pageSize, usage.hugePool.private, usage.resident], [HUGE, HUGE, 0]);
        assert.ok(usage.flags.includes('ht'));
        memory.close();
      });
    });
  });
});
