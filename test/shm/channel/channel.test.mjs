// Messages through a channel, within a thread, between threads and between processes:
// lib/shm/channel/{channel,end,producer,consumer,ring,deadline,mirrored-buffer}.ts.
import assert from 'node:assert/strict';
import { Channel } from 'memmap/shm';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { runs } from '../../support/process/run.mjs';
import { seeded } from '../../support/random.mjs';

const KiB = 1024;

/** A channel with both ends here. */
function both(capacity = 64 * KiB) {
  const channel = Channel.create({ capacity });
  const [producer, consumer] = [channel.producer(), channel.consumer()];
  channel.close();
  return { producer, consumer, [Symbol.dispose]: () => [producer, consumer].forEach((end) => end.close()) };
}

afterEach(endKept);

const text = (message) => message?.toString();
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a channel', () => {
  it('has a capacity of a power of two, at least 64 KiB, in sealed memory', () => {
    const channel = keep(Channel.create({ capacity: 70_000 }));
    assert.equal(channel.capacity, 128 * KiB);
    assert.equal(channel.kind, 'spsc');
    const small = keep(Channel.create({ capacity: 1 }));
    assert.equal(small.capacity, 64 * KiB);
  });

  it('brings messages in order, copied', () => {
    const ends = keep(both());
    const message = Buffer.from('one');
    assert.equal(ends.producer.trySend(message), true);
    message.fill(0);
    ends.producer.sendSync(Buffer.from('two'));
    assert.equal(text(ends.consumer.tryReceive()), 'one');
    assert.equal(text(ends.consumer.tryReceive()), 'two');
    assert.equal(ends.consumer.tryReceive(), undefined);
  });

  it('brings messages of every length up to its limit, and refuses longer ones', () => {
    const ends = keep(both());
    const { producer, consumer } = ends;
    const next = seeded(3);
    for (const length of [0, 1, 7, 8, 9, 4095, producer.limit, 1, producer.limit - 1]) {
      const message = Buffer.from(Array.from({ length }, () => next(256)));
      assert.equal(producer.trySend(message), true);
      assert.deepEqual(consumer.tryReceive(), message);
    }
    assert.throws(() => producer.trySend(Buffer.alloc(producer.limit + 1)), { code: 'ERR_OUT_OF_RANGE' });
  });

  for (const kind of ['spsc', 'mpmc', 'broadcast']) {
    it(`brings a message whose memory was transferred as an empty one: ${kind}`, () => {
      const channel = keep(Channel.create({ capacity: 1, kind }));
      const [producer, consumer] = [keep(channel.producer()), keep(channel.consumer())];
      const message = new Uint8Array(8);
      structuredClone(message.buffer, { transfer: [message.buffer] });
      assert.equal(producer.trySend(message), true);
      assert.deepEqual(consumer.tryReceive(), Buffer.alloc(0));
      assert.equal(consumer.tryReceive(), undefined);
    });
  }

  it('brings thousands of messages of random length in and out of step', () => {
    const ends = keep(both());
    const next = seeded(5);
    const expected = [];
    for (let i = 0; i < 20_000; i++) {
      if (next(2) === 0) {
        const message = Buffer.alloc(next(4000), i & 255);
        if (ends.producer.trySend(message)) expected.push(message);
      } else {
        assert.deepEqual(ends.consumer.tryReceive(), expected.shift());
      }
    }
  });

  it('is full for trySend(), and makes send() wait in the order of the calls', async () => {
    const ends = keep(both());
    const { producer, consumer } = ends;
    while (producer.trySend(Buffer.alloc(10_000)));
    const big = producer.send(Buffer.alloc(20_000, 1));
    const small = producer.send(Buffer.from('small'));
    assert.equal(producer.trySend(Buffer.from('overtakes')), false);
    assert.throws(() => producer.sendSync(Buffer.from('overtakes')), { code: 'ERR_MEMMAP_BUSY' });
    const lengths = [];
    for (let message; (message = consumer.tryReceive()) !== undefined; ) lengths.push(message.length);
    await Promise.all([big, small]);
    assert.ok(lengths.every((length) => length === 10_000));
    assert.equal(consumer.tryReceive().length, 20_000);
    assert.equal(text(consumer.tryReceive()), 'small');
  });

  it('sends many messages at once, as many as there is room for', () => {
    const ends = keep(both());
    const messages = Array.from({ length: 100 }, (_, i) => Buffer.alloc(1000, i));
    const sent = ends.producer.trySendMany(messages);
    assert.ok(sent > 50 && sent < 100);
    for (let i = 0; i < sent; i++) assert.deepEqual(ends.consumer.tryReceive(), messages[i]);
    assert.equal(ends.consumer.tryReceive(), undefined);
  });

  it('ends with the messages that were sent before close()', async () => {
    const ends = keep(both());
    ends.producer.sendSync(Buffer.from('last'));
    ends.producer.close();
    assert.equal(text(await ends.consumer.receive()), 'last');
    assert.equal(await ends.consumer.receive(), undefined);
    assert.equal(ends.consumer.receiveSync(), undefined);
    assert.throws(() => ends.producer.trySend(Buffer.from('x')), { code: 'ERR_MEMMAP_CLOSED' });
  });

  it('refuses messages that nobody will read', async () => {
    const ends = keep(both());
    while (ends.producer.trySend(Buffer.alloc(10_000)));
    const waits = ends.producer.send(Buffer.alloc(10_000));
    ends.consumer.close();
    await assert.rejects(waits, { code: 'ERR_MEMMAP_PEER_CLOSED', name: 'PeerError' });
    assert.throws(() => ends.producer.trySend(Buffer.from('x')), { code: 'ERR_MEMMAP_PEER_CLOSED' });
  });

  it('wakes a receiver that waits, and a receiver whose end is closed', async () => {
    const ends = keep(both());
    const waits = ends.consumer.receive();
    await wait(5);
    ends.producer.trySend(Buffer.from('now'));
    assert.equal(text(await waits), 'now');
    const inVain = ends.consumer.receive();
    await wait(5);
    ends.consumer.close();
    await assert.rejects(inVain, { code: 'ERR_MEMMAP_CLOSED' });
  });

  it('waits no longer than it is told', async () => {
    const ends = keep(both());
    const { producer, consumer } = ends;
    await assert.rejects(consumer.receive({ timeout: 5 }), { code: 'ERR_MEMMAP_TIMEOUT' });
    assert.throws(() => consumer.receiveSync({ timeout: 5 }), { code: 'ERR_MEMMAP_TIMEOUT' });
    const reason = new Error('enough');
    await assert.rejects(consumer.receive({ signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const waits = consumer.receive({ signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(waits, reason);
    while (producer.trySend(Buffer.alloc(10_000)));
    await assert.rejects(producer.send(Buffer.alloc(10_000), { timeout: 5 }), { code: 'ERR_MEMMAP_TIMEOUT' });
    assert.throws(() => producer.sendSync(Buffer.alloc(10_000), { timeout: 5 }), { code: 'ERR_MEMMAP_TIMEOUT' });
    consumer.drain(() => {});
    await producer.send(Buffer.from('goes on'));
    assert.equal(text(consumer.tryReceive()), 'goes on');
  });

  it('is given up in time though the one before it goes on waiting', async () => {
    const { producer, consumer } = keep(both());
    while (producer.trySend(Buffer.alloc(10_000)));
    const first = producer.send(Buffer.alloc(10_000, 'first'));
    const controller = new AbortController();
    const aborted = producer.send(Buffer.alloc(10_000, 'aborted'), { signal: controller.signal });
    const late = producer.send(Buffer.alloc(10_000, 'late'), { timeout: 5 });
    const last = producer.send(Buffer.from('last'));
    const reason = new Error('enough');
    controller.abort(reason);
    await assert.rejects(aborted, reason);
    await assert.rejects(late, { code: 'ERR_MEMMAP_TIMEOUT' });
    while (consumer.drain(() => {}) === 0);
    await Promise.all([first, last]);
    assert.deepEqual([text(consumer.tryReceive()).slice(0, 5), text(consumer.tryReceive())], ['first', 'last']);
  });

  it('is received into memory of the caller, where it fits', async () => {
    const { producer, consumer } = keep(both());
    const target = Buffer.alloc(8, '.');
    assert.equal(consumer.tryReceiveInto(target), undefined);
    producer.trySendMany(['one', '', 'a longer one', 'two', 'three', 'four'].map((word) => Buffer.from(word)));
    assert.equal(consumer.tryReceiveInto(target), 3);
    assert.equal(text(target), 'one.....');
    assert.equal(consumer.tryReceiveInto(target), 0);
    const tooLong = { code: 'ERR_OUT_OF_RANGE' };
    assert.throws(() => consumer.tryReceiveInto(target), tooLong);
    assert.throws(() => consumer.receiveIntoSync(target), tooLong);
    await assert.rejects(consumer.receiveInto(target), tooLong);
    assert.equal(text(consumer.tryReceive()), 'a longer one', 'it was still the next');
    assert.equal(await consumer.receiveInto(target), 3);
    assert.equal(consumer.receiveIntoSync(target), 5);
    assert.equal(text(target), 'three...');
    consumer.drain(() => assert.equal(consumer.tryReceiveInto(target), undefined));
    const waits = consumer.receiveInto(target);
    producer.trySend(Buffer.from('five'));
    assert.equal(await waits, 4);
    producer.close();
    assert.equal(await consumer.receiveInto(target), undefined);
  });

  it('is not sent if another of the same batch cannot be', () => {
    const { producer, consumer } = keep(both());
    let looks = 0;
    const batch = [Buffer.from('one'), Buffer.from('two')];
    // Sound when it is looked at first, gone when it is copied.
    Object.defineProperty(batch, 1, { get: () => (looks++ === 0 ? Buffer.from('two') : undefined) });
    assert.throws(() => producer.trySendMany(batch), TypeError);
    assert(producer.trySend(Buffer.from('three')));
    assert.equal(text(consumer.tryReceive()), 'three');
    assert.equal(consumer.tryReceive(), undefined);
  });

  it('is looked for before it is slept for, as long as the end was told', async () => {
    const channel = keep(Channel.create({ capacity: 1 }));
    const [producer, consumer] = [keep(channel.producer({ spin: 2000 })), keep(channel.consumer({ spin: 2000 }))];
    const options = { timeout: 50 };
    /** The thread is busy until the call returns. */
    const looks = async (call) => {
      const start = performance.now();
      const waits = call();
      assert(performance.now() - start >= 2, 'as long as it was told');
      await assert.rejects(waits, { code: 'ERR_MEMMAP_TIMEOUT' });
    };
    await looks(() => consumer.receive(options));
    while (producer.trySend(Buffer.alloc(1000)));
    await looks(() => producer.send(Buffer.alloc(1000), options));
    await looks(() => producer.room(1000, options));
    assert.throws(() => producer.sendSync(Buffer.alloc(1000), { timeout: 1 }), { code: 'ERR_MEMMAP_TIMEOUT' });
    consumer.drain(() => {});
    await producer.send(Buffer.from('goes on'));
    assert.equal(text(await consumer.receive()), 'goes on');
  });

  it('gives each end to one only, again after close()', () => {
    const channel = keep(Channel.create({ capacity: 1 }));
    const producer = channel.producer();
    assert.throws(() => channel.producer(), { code: 'ERR_MEMMAP_TAKEN' });
    producer.trySend(Buffer.from('first'));
    producer.close();
    const second = keep(channel.producer());
    second.trySend(Buffer.from('second'));
    const consumer = keep(channel.consumer());
    assert.deepEqual([consumer.tryReceive(), consumer.tryReceive()].map(text), ['first', 'second']);
  });
});

describe('messages in place', () => {
  it('are made in the ring, shortened, and read there', () => {
    const ends = keep(both());
    const { producer, consumer } = ends;
    const bytes = producer.reserve(100);
    bytes.write('in place');
    assert.throws(() => producer.trySend(Buffer.from('x')), { code: 'ERR_MEMMAP_RESERVED' });
    assert.equal(consumer.tryReceive(), undefined);
    producer.commit(8);
    const seen = [];
    assert.equal(consumer.drain((message) => seen.push(text(message))), 1);
    assert.deepEqual(seen, ['in place']);
    assert.throws(() => producer.commit(), { code: 'ERR_MEMMAP_NOT_RESERVED' });
  });

  it('are in one piece and aligned wherever they are in the ring', () => {
    const ends = keep(both());
    const { producer, consumer } = ends;
    for (let i = 0; i < 50; i++) {
      const bytes = producer.reserve(30_001);
      assert.equal(bytes.length, 30_001);
      assert.equal(bytes.byteOffset % 8, 0);
      bytes.fill(i);
      producer.commit();
      consumer.drain((message) => assert.ok(message.length === 30_001 && message.every((byte) => byte === i)));
    }
  });

  it('cannot be written to after commit()', () => {
    const ends = keep(both());
    const bytes = ends.producer.reserve(8).fill('a');
    const alias = new Uint8Array(bytes.buffer, bytes.byteOffset, 8);
    ends.producer.commit();
    bytes[0] = 0x62;
    bytes.fill('b');
    assert.deepEqual([bytes.length, alias.length], [0, 0]);
    assert.equal(text(ends.consumer.tryReceive()), 'aaaaaaaa');
  });

  it('cannot be read after drain()', () => {
    const ends = keep(both());
    ends.producer.trySend(Buffer.from('first'));
    const kept = [];
    ends.consumer.drain((message) => kept.push(message));
    ends.producer.trySend(Buffer.from('second'));
    assert.equal(kept[0].length, 0);
    assert.equal(kept[0][0], undefined);
  });

  it('count as read when their reader throws, which drain() passes on', () => {
    const ends = keep(both());
    ends.producer.trySendMany([Buffer.from('1'), Buffer.from('2'), Buffer.from('3')]);
    assert.throws(() => ends.consumer.drain((message) => {
      if (text(message) === '2') throw new Error('no');
    }), { message: 'no' });
    assert.equal(text(ends.consumer.tryReceive()), '3');
  });

  it('have room once there is some', async () => {
    const ends = keep(both());
    const { producer, consumer } = ends;
    while (producer.trySend(Buffer.alloc(10_000)));
    assert.equal(producer.reserve(10_000), undefined);
    const room = producer.room(10_000);
    consumer.drain(() => {}, { most: 2 });
    await room;
    producer.reserve(10_000).fill(1);
    producer.commit();
  });

  it('end with the channel: its views are empty', () => {
    const ends = both();
    const bytes = ends.producer.reserve(100);
    ends.producer.close();
    ends.consumer.close();
    assert.equal(bytes.length, 0);
  });
});

describe('an end of a channel that nobody closes', () => {
  it('is closed when it is collected, and the other side learns of it', () => runs('forgotten-ends', [], { nodeArgs: ['--expose-gc'] }));
});
