// The other end writes anything into the shared memory: ERR_MEMMAP_CORRUPT, and no crash, hang or foreign byte:
// lib/shm/channel/{header,memory,ring,broadcast-ring,consumer}.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { Channel, SharedMemory } from 'memmap/shm';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { seeded } from '../../support/random.mjs';

afterEach(endKept);

const HEADER = 0x1_0000;
const CAPACITY = 0x1_0000;
const HEAD = 32;
const TAIL = 64;
const CORRUPT = { code: 'ERR_MEMMAP_CORRUPT', name: 'PeerError' };

/** A channel, and all its memory as a peer sees it. */
function attacked() {
  const channel = keep(Channel.create({ capacity: CAPACITY }));
  const memory = keep(SharedMemory.fromFd(channel.fd));
  const words = keep(memory.map()).view(Int32Array);
  return { channel, words, data: words.subarray(HEADER / 4) };
}

describe('a channel from a hostile process', () => {
  it('is refused if its memory could be taken away, or is none', () => {
    const unsealed = keep(SharedMemory.create({ length: HEADER + CAPACITY }));
    assert.throws(() => Channel.fromFd(unsealed.fd), { code: 'ERR_MEMMAP_NOT_SEALED' });
    const file = openSync('/proc/self/maps');
    assert.throws(() => Channel.fromFd(file), { code: 'ERR_MEMMAP_NOT_MEMORY' });
    closeSync(file);
    const short = keep(SharedMemory.create({ length: 4096 }));
    short.seal('grow', 'shrink');
    assert.throws(() => Channel.fromFd(short.fd), { code: 'ERR_MEMMAP_TOO_SHORT' });
  });

  for (const [word, what, value] of [
    [0, 'another magic', 1],
    [2, 'another version', 2],
    [3, 'no kind', 0],
    [3, 'a kind there is not', 4],
    [4, 'a capacity beyond its memory', 2 * CAPACITY],
    [4, 'a capacity that is no power of two', CAPACITY - 8],
    [4, 'a negative capacity', -CAPACITY],
  ]) {
    it(`is refused with ${what}`, () => {
      const { channel, words } = attacked();
      words[word] = value;
      assert.throws(() => Channel.fromFd(channel.fd), { ...CORRUPT, offset: word * 4 });
    });
  }
});

describe('a hostile producer', () => {
  for (const [what, head] of [
    ['further than the ring is long', CAPACITY + 8],
    ['before what has been read', -8],
    ['between records', 12],
    ['as far as can be', 2 ** 31 - 8],
  ]) {
    it(`cannot have written ${what}`, () => {
      const { channel, words } = attacked();
      const consumer = keep(channel.consumer());
      words[HEAD] = head;
      assert.throws(() => consumer.tryReceive(), { ...CORRUPT, offset: HEAD * 4 });
      assert.throws(() => consumer.drain(() => {}), { ...CORRUPT, offset: HEAD * 4 });
    });
  }

  for (const length of [-1, 9, 17, 2 ** 31 - 1, -(2 ** 31), CAPACITY]) {
    it(`cannot have sent a message of ${length} bytes in a record of 16`, () => {
      const { channel, words, data } = attacked();
      const consumer = keep(channel.consumer());
      data[0] = length;
      words[HEAD] = 16;
      assert.throws(() => consumer.tryReceive(), { ...CORRUPT, offset: 0 });
      assert.throws(() => consumer.drain(() => {}), { ...CORRUPT, offset: 0 });
    });
  }

  it('cannot take back what the consumer has seen', () => {
    const { channel, words } = attacked();
    const [producer, consumer] = [keep(channel.producer()), keep(channel.consumer())];
    producer.trySendMany([Buffer.from('1'), Buffer.from('2')]);
    assert.equal(String(consumer.tryReceive()), '1');
    words[HEAD] = 16;
    assert.equal(String(consumer.tryReceive()), '2', 'it has been seen already');
    assert.throws(() => consumer.tryReceive(), CORRUPT);
  });

  it('is waited for no longer than the consumer wants, though it wakes it all the time', async () => {
    const { channel, words } = attacked();
    const consumer = keep(channel.consumer());
    const noise = setInterval(() => Atomics.add(words, 96, 1));
    await assert.rejects(consumer.receive({ timeout: 50 }), { code: 'ERR_MEMMAP_TIMEOUT' });
    clearInterval(noise);
  });
});

describe('a hostile consumer', () => {
  for (const [what, tail] of [
    ['more than there is', (head) => head + 8],
    ['less than before', () => -8],
    ['between records', () => 4],
  ]) {
    it(`cannot have read ${what}`, () => {
      const { channel, words } = attacked();
      const producer = keep(channel.producer());
      while (producer.trySend(Buffer.alloc(1000)));
      words[TAIL] = tail(words[HEAD]);
      assert.throws(() => producer.trySend(Buffer.alloc(1000)), { ...CORRUPT, offset: TAIL * 4 });
    });
  }
});

describe('an end that cannot start where the one before has stopped', () => {
  for (const [end, word] of [['consumer', HEAD], ['producer', TAIL]]) {
    it(`leaves the place of the ${end} to others`, () => {
      const { channel, words } = attacked();
      words[word] = 4;
      assert.throws(() => channel[end](), { ...CORRUPT, offset: word * 4 });
      words[word] = 0;
      keep(channel[end]());
    });
  }
});

describe('random bytes in the memory of a channel', () => {
  it('are errors, or messages that fit', () => {
    const next = seeded(Date.now() % 1e6);
    for (let round = 0; round < 300; round++) {
      const { channel, words, data } = attacked();
      const [producer, consumer] = [keep(channel.producer()), keep(channel.consumer())];
      for (let i = 0; i < 50; i++) producer.trySend(Buffer.alloc(next(500), i));
      for (let i = 0; i < 20; i++) {
        if (next(2) === 0) data[next(2000)] = next(3) === 0 ? next(600) : next(2 ** 32) | 0;
        else words[[HEAD, TAIL][next(2)]] += 8 * (next(400) - 200);
        for (const act of [() => consumer.tryReceive(), () => consumer.drain((message) => message.fill(1)), () => producer.trySend(Buffer.alloc(next(500)))]) {
          try {
            act();
          } catch (error) {
            assert.equal(error.code, 'ERR_MEMMAP_CORRUPT', error.stack);
          }
        }
      }
      for (const end of [producer, consumer]) end.close();
    }
  });
});
