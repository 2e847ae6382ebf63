// futex(2) with workers, with a process in Python, and with wrong arguments: lib/sys/futex.ts,
// src-native/sys/futex.cc, src-native/napi/wait/futex.cc.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { mapAnonymous } from 'memmap';
import { SharedMemory } from 'memmap/shm';
import { futex_wait, futex_waitv, futex_wake } from 'memmap/sys';
import { pythonCommand } from '../support/process/program.mjs';
import { endKept, keep } from '../support/shm/keep.mjs';
import { until } from '../support/until.mjs';

afterEach(endKept);

const SYS_FUTEX = { x64: 202, arm64: 98 }[process.arch];
const WAKES = `
memory = mmap.mmap(3, 4096)
word = ctypes.c_uint32.from_buffer(memory, 64)
libc = ctypes.CDLL(None)
deadline = time.monotonic() + 20
word.value = 7
while libc.syscall(${SYS_FUTEX}, ctypes.byref(word), 1, 1) != 1 and time.monotonic() < deadline: time.sleep(0.01)
`;

/** A worker that waits: what it returned, or the code of what it threw. */
function waiting(call, buffer) {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import('memmap/sys').then((sys) => {
      const words = new Int32Array(workerData);
      parentPort.postMessage('waits');
      let result;
      try { result = (${call})(sys, words) ?? 'woken'; } catch (error) { result = error.code; }
      parentPort.postMessage(result);
    });`;
  const worker = new Worker(code, { eval: true, workerData: buffer });
  const messages = [];
  worker.on('message', (message) => messages.push(message));
  const said = async (count) => {
    await until(() => messages.length >= count, 'the worker to say so');
    return messages[count - 1];
  };
  return { started: said(1), result: () => said(2), exited: once(worker, 'exit') };
}

describe('futex', () => {
  it('wakes a thread that waits, once, and says how many it woke', async () => {
    const memory = keep(mapAnonymous({ length: 4096, sharing: 'shared' }));
    const words = memory.view(Int32Array);
    assert.equal(futex_wake(words), 0);
    const one = waiting('(sys, words) => sys.futex_wait(words.subarray(3), 5, 10_000)', memory.buffer);
    words[3] = 5;
    await one.started;
    await until(() => futex_wake(words.subarray(3)) === 1, 'somebody to sleep');
    assert.equal(await one.result(), 'woken');
    await one.exited;
  });

  it('waits for a word of several, and says which', async () => {
    const memory = keep(mapAnonymous({ length: 4096, sharing: 'shared' }));
    const words = memory.view(Int32Array);
    const one = waiting('(sys, words) => sys.futex_waitv([0, 8, 16].map((at) => ({ addr: words.subarray(at), expected: 0 })), 10_000)', memory.buffer);
    await one.started;
    await until(() => futex_wake(words.subarray(16)) === 1, 'somebody to sleep');
    assert.equal(await one.result(), 2);
    await one.exited;
  });

  it('is woken by another process', async () => {
    const memory = keep(SharedMemory.create({ length: 4096 }));
    const mapping = keep(memory.map());
    const words = mapping.view(Int32Array);
    const [command, ...args] = pythonCommand(WAKES);
    const python = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', memory.fd] });
    const exited = once(python, 'exit');
    await until(() => words[16] === 7, 'Python to begin');
    for (let tries = 0; ; tries++) {
      try {
        futex_wait(words.subarray(16), 7, 10_000);
        break;
      } catch (error) {
        assert.ok(error.code === 'EAGAIN' && tries < 10, error);
      }
    }
    assert.deepEqual(await exited, [0, null]);
  });

  it('throws at once if the word holds something else, and when the time is over', async () => {
    const memory = keep(mapAnonymous({ length: 4096 }));
    const words = memory.view(Int32Array);
    words[0] = -1;
    assert.throws(() => futex_wait(words, 0), { name: 'SystemError', code: 'EAGAIN', syscall: 'futex' });
    assert.throws(() => futex_waitv([{ addr: words, expected: 0 }]), { code: 'EAGAIN', syscall: 'futex_waitv' });
    for (const expected of [-1, 0xffff_ffff]) {
      const before = performance.now();
      assert.throws(() => futex_wait(words, expected, 20), { code: 'ETIMEDOUT' });
      assert.throws(() => futex_waitv([{ addr: words, expected }], 20), { code: 'ETIMEDOUT' });
      assert.ok(performance.now() - before >= 39);
    }
    assert.throws(() => futex_wait(memory.address, -1, 0), { code: 'ETIMEDOUT' });
    await pause(0);
  });

  it('refuses what is no word, and an address without memory', () => {
    const memory = keep(mapAnonymous({ length: 4096 }));
    const bytes = memory.bytes;
    const outOfRange = { code: 'ERR_OUT_OF_RANGE' };
    assert.throws(() => futex_wait(bytes.subarray(1), 0), outOfRange);
    assert.throws(() => futex_wait(bytes.subarray(0, 3), 0), outOfRange);
    assert.throws(() => futex_wait(bytes, 2 ** 32), outOfRange);
    assert.throws(() => futex_wait(bytes, 0.5), outOfRange);
    assert.throws(() => futex_wait(bytes, 0, -1), outOfRange);
    assert.throws(() => futex_wait(bytes, 0, Number.NaN), outOfRange);
    assert.throws(() => futex_wait('0', 0), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => futex_wake(bytes, -1), outOfRange);
    assert.throws(() => futex_waitv([]), outOfRange);
    assert.throws(() => futex_waitv({}), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => futex_waitv([{ addr: bytes, value: 0 }]), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.throws(() => futex_waitv(Array.from({ length: 129 }, () => ({ addr: bytes, expected: 0 }))), outOfRange);
    assert.throws(() => futex_wait(4096n, 0, 0), { code: 'EFAULT' });
    assert.throws(() => futex_waitv([{ addr: 4096n, expected: 0 }], 0), { code: 'EFAULT' });
  });
});
