// A process at one end is killed. Witness: the process at the other.
import assert from 'node:assert/strict';
import { Channel } from 'memmap/shm';
import { endKept, keep } from '../support/keep.mjs';
import { beside } from '../support/beside.mjs';

afterEach(endKept);

const DIED = { code: 'ERR_MEMMAP_PEER_DIED', name: 'PeerError' };
const SENT = 10;
const sent = Array.from({ length: SENT }, (_, i) => `message ${i}`);

async function killedProducer() {
  const channel = keep(Channel.create({ capacity: 1 }));
  const child = keep(beside('channel-peer', ['send and stay', SENT], [channel.fd]));
  await child.says('sent');
  return { channel, child, consumer: keep(channel.consumer()) };
}

describe('a producer that was killed', () => {
  it('leaves what it had sent, and nothing of what it was making', async () => {
    const { child, consumer } = await killedProducer();
    await child.kill();
    for (const message of sent) assert.equal(String(await consumer.receive()), message);
    await assert.rejects(consumer.receive(), DIED);
    assert.throws(() => consumer.receiveSync(), DIED);
    await assert.rejects(consumer.ready(), DIED);
  });

  it('is noticed by a consumer that waits', async () => {
    const { child, consumer } = await killedProducer();
    assert.equal(consumer.drain(() => {}), SENT);
    const waits = assert.rejects(consumer.receive(), DIED);
    await child.kill();
    await waits;
  });

  it('is followed by another, which goes on behind its last message', async () => {
    const { channel, child, consumer } = await killedProducer();
    await child.kill();
    const producer = keep(channel.producer());
    producer.trySend(Buffer.from('from another'));
    for (const message of [...sent, 'from another']) assert.equal(String(await consumer.receive()), message);
    producer.close();
    assert.equal(await consumer.receive(), undefined);
  });

  it('keeps its end as long as it lives', async () => {
    const { channel } = await killedProducer();
    assert.throws(() => channel.producer(), { code: 'ERR_MEMMAP_TAKEN' });
  });
});

describe('a consumer that was killed', () => {
  async function fullChannel() {
    const channel = keep(Channel.create({ capacity: 1 }));
    const child = keep(beside('channel-peer', ['consume nothing'], [channel.fd]));
    await child.says('there');
    const producer = keep(channel.producer());
    while (producer.trySend(Buffer.alloc(10_000, 1)));
    return { channel, child, producer };
  }

  it('is noticed by a producer that waits for room', async () => {
    const { child, producer } = await fullChannel();
    const waits = assert.rejects(producer.send(Buffer.alloc(10_000)), DIED);
    await child.kill();
    await waits;
    assert.throws(() => producer.trySend(Buffer.from('x')), DIED);
  });

  it('is noticed by a producer that finds room, before long', async () => {
    const { channel, child, producer } = await fullChannel();
    await child.kill();
    const consumer = keep(channel.consumer());
    assert.ok(consumer.drain(() => {}) > 0, 'another consumer finds the messages');
    consumer.close();
    assert.throws(() => producer.trySend(Buffer.from('x')), { code: 'ERR_MEMMAP_PEER_CLOSED' });
  });
});
