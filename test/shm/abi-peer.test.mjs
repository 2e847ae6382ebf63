// A C program that follows docs/abi.md takes part (test/fixtures/shm/abi-peer.c): lib/shm/lock/algorithm,
// lib/shm/channel/{header,ring,members,event-count}.ts, lib/shm/wait/liveness.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Channel, Mutex, Semaphore } from 'memmap/shm';
import { endKept, keep } from '../support/shm/keep.mjs';
import { CLEAN, INHERITED, LONG, WAITERS, lockMemory } from '../support/shm/lock-memory.mjs';
import { MORTAL } from '../support/shm/party.mjs';
import { compiled, start } from '../support/process/program.mjs';
import { seeded } from '../support/random.mjs';
import { until } from '../support/until.mjs';

afterEach(endKept);

const SOURCE = new URL('../fixtures/shm/abi-peer.c', import.meta.url);
const TIMES = 50_000;
const MESSAGES = 100_000;
const LONGEST = 1000;
const child = MORTAL['a process that was killed'];

function checksum(bytes) {
  let sum = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) sum = Math.imul(sum ^ bytes[i], 0x01000193);
  return sum >>> 0;
}

/** Message `number`: a checksum, the number, random bytes. */
function messageOf(number, next) {
  const message = Buffer.alloc(8 + next(LONGEST - 7), next(256));
  for (let i = 8; i < message.length; i += 7) message[i] = i;
  message.writeUInt32LE(number, 4);
  message.writeUInt32LE(checksum(message.subarray(4)));
  return message;
}

function verify(message, number) {
  assert.deepEqual([message.readUInt32LE(4), message.readUInt32LE()], [number, checksum(message.subarray(4))]);
}

describe('a C program that follows docs/abi.md', () => {
  const program = compiled(readFileSync(SOURCE, 'utf8'));
  const at = lockMemory();

  /** Runs an act of it beside the test, over the descriptor. */
  function peer(fd, act, number = 0) {
    const one = start(program(), [act, number], { stdio: ['pipe', 'pipe', 'pipe', fd] });
    keep({
      async [Symbol.asyncDispose]() {
        one.child.kill('SIGKILL');
        await one.ended;
      },
    });
    return {
      ...one,
      says: (line) => until(() => one.output().includes(`${line}\n`), `it says ${line}`),
      async ends() {
        const { code, signal, stdout, stderr } = await one.ended;
        assert.deepEqual([code, signal], [0, null], stderr);
        return stdout.trim();
      },
      async kill() {
        one.child.kill('SIGKILL');
        await one.ended;
      },
    };
  }

  describe('at a mutex', () => {
    it('has it alone, in turn with Node', async () => {
      const mutex = new Mutex(at.memory, 0);
      const peers = [1, 2].map(() => peer(at.shared.fd, 'mutex-count', TIMES));
      for (let i = 0; i < TIMES; i++) {
        if (i % 64 === 0) await mutex.lockAsync();
        else mutex.lock();
        at.counter[0] += 1;
        mutex.unlock();
      }
      for (const one of peers) assert.equal(await one.ends(), '0');
      assert.equal(at.counter[0], 3 * TIMES);
      assert.equal(at.word(0)[0], 0);
    });

    it('has it as long as it lives; when it is killed, Node is told', async () => {
      const mutex = new Mutex(at.memory, 0);
      const holder = peer(at.shared.fd, 'mutex-hold');
      await holder.says('holds');
      assert.throws(() => mutex.lock({ timeout: 150 }), { code: 'ERR_MEMMAP_TIMEOUT' });
      const waits = mutex.lockAsync(LONG);
      await holder.kill();
      assert.deepEqual(await waits, INHERITED);
      mutex.unlock();
      assert.deepEqual(mutex.lock(), CLEAN);
    });

    it('is told when Node is killed', async () => {
      const owner = keep(child(at));
      await owner.mutex.lock();
      const next = peer(at.shared.fd, 'mutex-lock');
      await next.says('comes');
      await until(() => (at.word(0)[0] & WAITERS) !== 0, 'it waits');
      await owner.kill();
      assert.equal(await next.ends(), 'comes\ninherited');
    });
  });

  describe('at a semaphore', () => {
    it('takes and gives as Node does', async () => {
      const semaphore = new Semaphore(at.memory, 0);
      semaphore.release();
      const peers = [1, 2].map(() => peer(at.shared.fd, 'semaphore-count', TIMES));
      for (let i = 0; i < TIMES; i++) {
        semaphore.acquire();
        at.counter[0] += 1;
        semaphore.release();
      }
      for (const one of peers) await one.ends();
      assert.deepEqual([at.counter[0], semaphore.value], [3 * TIMES, 1]);
    });

    it('waits for what Node gives, and wakes Node', async () => {
      const semaphore = new Semaphore(at.memory, 0);
      const taker = peer(at.shared.fd, 'semaphore-take', 3);
      await until(() => at.word(0)[0] === WAITERS, 'it waits');
      semaphore.release(3);
      await taker.ends();
      const waits = [semaphore.acquireAsync(LONG), semaphore.acquireAsync(LONG)];
      await peer(at.shared.fd, 'semaphore-give', 2).ends();
      await Promise.all(waits);
      assert.equal(semaphore.value, 0);
    });
  });

  describe('at a channel', () => {
    let channel;
    beforeEach(() => (channel = keep(Channel.create({ capacity: 1 }))));

    it(`receives ${MESSAGES} messages of every length from Node, whole and in order`, async () => {
      const consumer = peer(channel.fd, 'channel-consume');
      const producer = keep(channel.producer());
      const next = seeded(23);
      for (let i = 0; i < MESSAGES; i++) await producer.send(messageOf(i, next));
      producer.close();
      assert.equal(await consumer.ends(), String(MESSAGES));
    });

    it(`sends Node ${MESSAGES} messages of every length, whole and in order`, async () => {
      const consumer = keep(channel.consumer());
      const producer = peer(channel.fd, 'channel-produce', MESSAGES);
      let count = 0;
      while (await consumer.ready()) {
        const message = await consumer.receive();
        verify(message, count++);
        if (count % 3 === 0) consumer.drain((one) => verify(one, count++));
      }
      assert.equal(count, MESSAGES);
      await producer.ends();
    });

    it('makes one that Node takes part in', async () => {
      const producer = peer(channel.fd, 'make-and-produce', 1000);
      await until(() => producer.output().includes('\n'), 'it says where it is');
      const fd = openSync(`/proc/${producer.child.pid}/fd/${producer.output().trim()}`, 'r+');
      const made = keep(Channel.fromFd(fd));
      closeSync(fd);
      const consumer = keep(made.consumer());
      let count = 0;
      for await (const message of consumer) verify(message, count++);
      assert.equal(count, 1000);
      producer.child.stdin.end();
      await producer.ends();
    });

    it('is noticed when it is killed: as a producer it leaves what it had sent', async () => {
      const producer = peer(channel.fd, 'channel-produce-and-stay', 20);
      await producer.says('stays');
      const consumer = keep(channel.consumer());
      assert.throws(() => channel.producer(), { code: 'ERR_MEMMAP_TAKEN' });
      await producer.kill();
      for (let i = 0; i < 20; i++) verify(await consumer.receive(), i);
      await assert.rejects(consumer.receive(LONG), { code: 'ERR_MEMMAP_PEER_DIED' });
    });

    it('is noticed when it is killed: as a consumer it leaves what it had not read', async () => {
      const producer = keep(channel.producer());
      const consumer = peer(channel.fd, 'channel-consume-and-stay', 5);
      const next = seeded(29);
      for (let i = 0; i < 10; i++) await producer.send(messageOf(i, next));
      await consumer.says('stays');
      while (producer.trySend(Buffer.alloc(5000)));
      const waits = assert.rejects(producer.send(Buffer.alloc(5000), LONG), { code: 'ERR_MEMMAP_PEER_DIED' });
      await consumer.kill();
      await waits;
      const other = keep(channel.consumer());
      for (let i = 5; i < 10; i++) verify(other.tryReceive(), i);
    });

    it('notices that Node is killed, when it has read what there was', async () => {
      const producer = keep(child({ channel }));
      const next = seeded(31);
      assert.equal(await producer.producer.trySendMany([0, 1, 2].map((i) => messageOf(i, next))), 3);
      const consumer = peer(channel.fd, 'channel-consume');
      await producer.kill();
      const { code, stderr } = await consumer.ended;
      assert.equal(code, 2, stderr);
      assert.match(stderr, /the producer has died/);
    });
  });
});
