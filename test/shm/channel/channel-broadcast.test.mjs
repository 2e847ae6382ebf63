// A channel of kind 'broadcast', one producer and consumers that each get everything:
// lib/shm/channel/{broadcast-ring,producer,consumer}.ts.
import assert from 'node:assert/strict';
import { Channel } from 'memmap/shm';
import { beside } from '../../support/process/beside.mjs';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { seeded } from '../../support/random.mjs';

afterEach(endKept);

const broadcast = (slow) => keep(Channel.create({ capacity: 1, kind: 'broadcast', slow }));
const text = (message) => message?.toString();

describe("a channel of kind 'broadcast'", () => {
  it('brings each message to each consumer that is there', () => {
    const channel = broadcast();
    const producer = keep(channel.producer());
    producer.trySend(Buffer.from('to nobody'));
    const [one, two] = [keep(channel.consumer()), keep(channel.consumer())];
    producer.trySendMany([Buffer.from('a'), Buffer.from('b')]);
    const late = keep(channel.consumer());
    producer.trySend(Buffer.from('c'));
    const all = (consumer) => Array.from({ length: 4 }, () => text(consumer.tryReceive()));
    assert.deepEqual([one, two, late].map(all), [['a', 'b', 'c', undefined], ['a', 'b', 'c', undefined], ['c', undefined, undefined, undefined]]);
    assert.equal(one.lost, 0);
  });

  it('goes on without any consumer, for ever', () => {
    const producer = keep(broadcast().producer());
    for (let i = 0; i < 1000; i++) assert.equal(producer.trySend(Buffer.alloc(1000)), true);
  });

  it('has one producer, and up to 64 consumers', () => {
    const channel = broadcast();
    keep(channel.producer());
    assert.throws(() => channel.producer(), { code: 'ERR_MEMMAP_TAKEN' });
    for (let i = 0; i < 64; i++) keep(channel.consumer());
    assert.throws(() => channel.consumer(), { code: 'ERR_MEMMAP_TAKEN' });
  });

  it('ends for each consumer when it has read all', async () => {
    const channel = broadcast();
    const [producer, consumer] = [keep(channel.producer()), keep(channel.consumer())];
    producer.trySend(Buffer.from('last'));
    producer.close();
    assert.equal(text(await consumer.receive()), 'last');
    assert.equal(await consumer.receive(), undefined);
  });

  it('is read in place by each', () => {
    const channel = broadcast();
    const producer = keep(channel.producer());
    const consumers = [0, 1].map(() => keep(channel.consumer()));
    producer.reserve(5).write('place');
    producer.commit();
    for (const consumer of consumers) assert.equal(consumer.drain((message) => assert.equal(text(message), 'place')), 1);
  });
});

describe("a broadcast whose producer waits for slow consumers, slow: 'wait'", () => {
  it('holds the producer up until the slowest has read, or closes', async () => {
    const channel = broadcast('wait');
    const producer = keep(channel.producer());
    const [fast, slow] = [keep(channel.consumer()), keep(channel.consumer())];
    let sent = 0;
    while (producer.trySend(Buffer.alloc(1000))) sent += 1;
    assert.equal(fast.drain(() => {}), sent);
    assert.equal(producer.trySend(Buffer.alloc(1000)), false);
    assert.equal(slow.drain(() => {}, { most: 1 }), 1);
    assert.equal(producer.trySend(Buffer.alloc(1000)), true);
    const waits = producer.send(Buffer.alloc(1000, 1));
    slow.close();
    await waits;
  });

  it('brings everything to processes of every speed', async () => {
    const channel = broadcast('wait');
    const producer = keep(channel.producer());
    const children = [0, 1].map(() => keep(beside('channel-peer', ['drain', 3000], [channel.fd])));
    const start = keep(channel.consumer());
    for (const child of children) await child.says('there');
    const next = seeded(7);
    for (let i = 0; i < 3000; i++) {
      await producer.send(Buffer.alloc(next(3001), i & 255));
      start.drain(() => {});
    }
    producer.close();
    for (const child of children) {
      assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
      assert.equal(child.output(), 'there\n3000\n');
    }
  });
});

describe("a broadcast whose slow consumers lose messages, slow: 'lose'", () => {
  const numbered = (i, length) => {
    const bytes = Buffer.alloc(length, i & 255);
    bytes.writeUInt32LE(i);
    return bytes;
  };

  it('tells a consumer how many it has lost, and goes on with the oldest there is', () => {
    const channel = broadcast('lose');
    const [producer, consumer] = [keep(channel.producer()), keep(channel.consumer())];
    const COUNT = 1000;
    for (let i = 0; i < COUNT; i++) assert.equal(producer.trySend(numbered(i, 1000)), true);
    const got = [];
    for (let message; (message = consumer.tryReceive()) !== undefined; ) got.push(message.readUInt32LE());
    assert.deepEqual(got, Array.from({ length: got.length }, (_, i) => COUNT - got.length + i));
    assert.equal(consumer.lost, COUNT - got.length);
    assert.ok(got.length > 50);
  });

  it('never holds the producer up, and never shows a torn message', async () => {
    const channel = broadcast('lose');
    const producer = keep(channel.producer());
    const children = [0, 1].map(() => keep(beside('channel-peer', ['follow'], [channel.fd])));
    for (const child of children) await child.says('there');
    const next = seeded(17);
    const COUNT = 200_000;
    for (let i = 0; i < COUNT; i++) {
      assert.equal(producer.trySend(numbered(i, 4 + next(900))), true);
      if (next(5000) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    producer.close();
    for (const child of children) {
      assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
      const { got, lost } = JSON.parse(child.output().split('\n')[1]);
      assert.equal(got + lost, COUNT);
    }
  });

  it('hands out copies in drain(): what is kept of them stays', () => {
    const channel = broadcast('lose');
    const [producer, consumer] = [keep(channel.producer()), keep(channel.consumer())];
    producer.trySend(Buffer.from('kept'));
    let kept;
    consumer.drain((message) => (kept = message));
    for (let i = 0; i < 1000; i++) producer.trySend(Buffer.alloc(1000, 0xff));
    assert.equal(text(kept), 'kept');
  });
});
