// A channel of kind 'mpmc', several processes at each end: lib/shm/channel/{channel,members,producer,consumer}.ts.
import assert from 'node:assert/strict';
import { Channel } from 'memmap/shm';
import { beside } from '../../support/process/beside.mjs';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { seeded } from '../../support/random.mjs';

afterEach(endKept);

const COUNT = 1500;
const numbers = (text) => text.trim().split('\n').map(Number);

describe("a channel of kind 'mpmc'", () => {
  it('has up to 64 ends at each side', () => {
    const channel = keep(Channel.create({ capacity: 1, kind: 'mpmc' }));
    const consumers = Array.from({ length: 64 }, () => keep(channel.consumer()));
    assert.throws(() => channel.consumer(), { code: 'ERR_MEMMAP_TAKEN' });
    consumers[7].close();
    keep(channel.consumer());
  });

  it('brings each message to one consumer, whoever sent it', async () => {
    const channel = keep(Channel.create({ capacity: 1, kind: 'mpmc' }));
    // One of them may be through before another has begun: that is not the end.
    const last = keep(channel.producer());
    const consumers = [0, 1].map(() => keep(beside('channel-peer', ['consume'], [channel.fd])));
    const producers = [0, 1, 2].map((i) => keep(beside('channel-peer', ['produce', i * COUNT, COUNT], [channel.fd])));
    const sound = async (child) => assert.deepEqual(await child.ended, { code: 0, signal: null }, child.errors());
    await Promise.all(producers.map(sound));
    last.close();
    await Promise.all(consumers.map(sound));
    const all = consumers.flatMap((child) => numbers(child.output()));
    assert.deepEqual(all.toSorted((a, b) => a - b), Array.from({ length: 3 * COUNT }, (_, i) => i));
  });

  it('ends when the last producer has closed', async () => {
    const channel = keep(Channel.create({ capacity: 1, kind: 'mpmc' }));
    const [one, two] = [keep(channel.producer()), keep(channel.producer())];
    const consumer = keep(channel.consumer());
    one.trySend(Buffer.from('one'));
    one.close();
    two.trySend(Buffer.from('two'));
    assert.equal(String(await consumer.receive()), 'one');
    const rest = (async () => [String(await consumer.receive()), await consumer.receive()])();
    two.close();
    assert.deepEqual(await rest, ['two', undefined]);
  });

  it('keeps other producers out while one makes a message in place', async () => {
    const channel = keep(Channel.create({ capacity: 1, kind: 'mpmc' }));
    const [one, two] = [keep(channel.producer()), keep(channel.producer())];
    const consumer = keep(channel.consumer());
    one.reserve(3).write('one');
    assert.equal(two.trySend(Buffer.from('two')), false);
    const later = two.send(Buffer.from('two'));
    one.commit();
    await later;
    assert.deepEqual([consumer.tryReceive(), consumer.tryReceive()].map(String), ['one', 'two']);
  });

  it('goes on for those who are left when others are killed', async () => {
    const channel = keep(Channel.create({ capacity: 1, kind: 'mpmc' }));
    const next = seeded(13);
    const producer = keep(channel.producer());
    const consumer = keep(channel.consumer());
    const seen = new Set();
    let sent = 0;
    for (let round = 0; round < 12; round++) {
      const victims = [
        keep(beside('channel-peer', ['produce', 1e6 + round * COUNT, COUNT], [channel.fd])),
        keep(beside('channel-peer', ['consume'], [channel.fd])),
      ];
      const until = Date.now() + 100 + next(100);
      while (Date.now() < until) {
        const message = Buffer.alloc(4);
        message.writeUInt32LE(sent);
        await producer.send(message);
        sent += 1;
        const got = consumer.tryReceive();
        if (got !== undefined) seen.add(got.readUInt32LE());
      }
      for (const victim of victims) await victim.kill();
    }
    producer.close();
    for (let got; (got = await consumer.receive().catch((error) => assert.equal(error.code, 'ERR_MEMMAP_PEER_DIED'))) !== undefined; ) {
      seen.add(got.readUInt32LE());
    }
    assert.ok(seen.size > 0);
  });
});
