// How a thread that waits for messages sleeps, with io_uring(7) and without: lib/shm/wait/futex.ts,
// src-native/core/wait/{futex_ring,waiter}.cc, src-native/napi/wait/futex_ring.cc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { Channel } from 'memmap/shm';
import { countFutexRings } from '../../support/descriptors.mjs';
import { skip } from '../../support/hooks.mjs';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { runs } from '../../support/process/run.mjs';
import { until } from '../../support/until.mjs';

afterEach(endKept);

const SWITCH = '/proc/sys/kernel/io_uring_disabled';

/** 0: all may; undefined: the kernel has no such switch. */
function disabled() {
  try {
    return Number(readFileSync(SWITCH, 'utf8'));
  } catch {
    return undefined;
  }
}

function needsRing(context) {
  const [major, minor] = execFileSync('uname', ['-r'], { encoding: 'utf8' }).split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 7)) skip(context, 'the kernel cannot post wake-ups to a ring: Linux 6.7');
  if (disabled() !== 0) skip(context, `${SWITCH} forbids rings`);
}

/** A worker that waits for a message of a channel. */
async function waiting(channel) {
  const code = `
    import('memmap/shm').then(async ({ Channel }) => {
      const consumer = Channel.fromFd(${channel.fd}).consumer();
      const waits = consumer.receive();
      require('node:worker_threads').parentPort.postMessage('waits');
      await waits;
    });`;
  const worker = new Worker(code, { eval: true });
  await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  return worker;
}

describe('a thread that waits for messages', () => {
  it('sleeps in its event loop, with a ring that ends with the thread', async function () {
    needsRing(this);
    const channel = keep(Channel.create({ capacity: 1 }));
    // Ours is there from the first wait on.
    await assert.rejects(keep(channel.consumer()).receive({ timeout: 100 }), { code: 'ERR_MEMMAP_TIMEOUT' });
    const before = countFutexRings();
    assert.ok(before >= 1, 'a ring of this thread');
    await endKept();
    const other = keep(Channel.create({ capacity: 1 }));
    const producer = keep(other.producer());
    for (const ends of [(worker) => worker.terminate(), () => producer.trySend(Buffer.from('end'))]) {
      const worker = await waiting(other);
      await until(() => countFutexRings() === before + 1, 'a ring of that thread');
      const exited = new Promise((resolve) => worker.on('exit', resolve));
      await ends(worker);
      await exited;
      await until(() => countFutexRings() === before, 'the ring of the thread has gone');
    }
  });

  it('may wait for more channels than a ring can tell of', async () => {
    const channels = Array.from({ length: 300 }, () => keep(Channel.create({ capacity: 1 })));
    const consumers = channels.map((channel) => keep(channel.consumer()));
    const waits = consumers.map((consumer) => consumer.receive());
    for (const [i, channel] of channels.entries()) keep(channel.producer()).trySend(Buffer.from(String(i)));
    const got = await Promise.all(waits);
    assert.deepEqual(got.map(Number), channels.map((_, i) => i));
  });

  it('does not keep its process alive once it has what it waited for', async () => {
    const { stdout } = await runs('last-message', []);
    assert.equal(stdout, 'last\n');
  });

  it('sleeps with the waiter thread where rings are forbidden', async function () {
    needsRing(this);
    try {
      writeFileSync(SWITCH, '2');
    } catch (error) {
      skip(this, `needs root to forbid rings: ${error.code}`);
    }
    try {
      const { stdout } = await runs('last-message', []);
      assert.equal(stdout, 'last\n');
      const { stdout: how } = await runs('last-message', ['rings']);
      assert.equal(how, '0 rings\nlast\n');
    } finally {
      writeFileSync(SWITCH, '0');
    }
  });
});
