// Channels as streams of Node: lib/shm/channel/streams.ts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream, writeFileSync } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { Channel } from 'memmap/shm';
import { beside } from '../../support/process/beside.mjs';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { seeded } from '../../support/random.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

const MiB = 2 ** 20;
const PEER_CLOSED = { code: 'ERR_MEMMAP_PEER_CLOSED', name: 'PeerError' };
const PEER_DIED = { code: 'ERR_MEMMAP_PEER_DIED', name: 'PeerError' };

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

function randomBytes(length) {
  const next = seeded(length);
  return Buffer.from(Uint32Array.from({ length: length / 4 }, () => next(2 ** 32 - 1)).buffer);
}

describe('Streams over channels', () => {
  afterEach(endKept);
  const file = temporaryFiles();
  let count = 0;
  const nextPath = () => file(`stream-${(count += 1)}`);

  /** The ends of a one-way channel. */
  function oneWay() {
    const channel = keep(Channel.create({ capacity: 1 }));
    return { producer: keep(channel.producer()), consumer: keep(channel.consumer()) };
  }

  /** Both ends of a duplex one. */
  async function pair() {
    const path = nextPath();
    let told;
    const handed = new Promise((resolve) => (told = resolve));
    keep(await Channel.serve(path, told, { capacity: 1 }));
    const client = keep(await Channel.connect(path));
    return [client, keep(await handed)];
  }

  describe('of bytes', () => {
    it('bring a file that is far larger than the channel, in chunks of any size', async () => {
      const bytes = randomBytes(20 * MiB);
      const path = nextPath();
      writeFileSync(path, bytes);
      const { producer, consumer } = oneWay();
      const next = seeded(7);
      const sizes = new Transform({
        transform(chunk, _encoding, done) {
          for (let at = 0; at < chunk.length;) this.push(chunk.subarray(at, (at += 1 + next(200_000))));
          done();
        },
      });
      const [, received] = await Promise.all([
        pipeline(createReadStream(path, { highWaterMark: MiB }), sizes, producer.writable),
        buffer(consumer.readable),
      ]);
      assert.equal(sha256(received), sha256(bytes));
      assert.deepEqual([producer.closed, consumer.closed], [true, true], 'their ends are theirs');
    });

    it('come from another process, whole', async () => {
      const path = nextPath();
      const child = keep(beside('duplex-peer', ['serve bytes', path], []));
      await child.says('serves');
      const channel = keep(await Channel.connect(path));
      const length = 20 * MiB + 17;
      await channel.send(Buffer.from(String(length)));
      const hash = createHash('sha256');
      let received = 0;
      for await (const chunk of channel.readable) {
        received += chunk.length;
        hash.update(chunk);
      }
      assert.equal(received, length);
      await child.says(hash.digest('hex'));
    });

    it('go through both directions at once, and through others between them', async () => {
      const [client, server] = await pair();
      const bytes = randomBytes(2 * MiB);
      const echo = pipeline(server.readable, createGunzip(), createGzip({ level: 1 }), server.writable);
      const [answer] = await Promise.all([
        buffer(client.readable.pipe(createGunzip())),
        pipeline(Readable.from([bytes]), createGzip({ level: 1 }), client.writable),
        echo,
      ]);
      assert.equal(sha256(answer), sha256(bytes));
      await until(() => client.closed && server.closed, 'both are closed');
    });

    it('hold the writer up while nobody reads', async () => {
      const { producer, consumer } = oneWay();
      const { writable } = producer;
      let written = 0;
      while (writable.write(Buffer.alloc(10_000))) written += 1;
      assert.ok(written < 20, `${written} chunks were taken`);
      const drained = new Promise((resolve) => writable.once('drain', resolve));
      consumer.readable.resume();
      await drained;
      writable.end();
      await new Promise((resolve) => consumer.readable.once('close', resolve));
    });

    it('are read no further than their reader asks', async () => {
      const { producer, consumer } = oneWay();
      const { readable } = consumer;
      let sent = 0;
      for (readable.read(0); producer.trySend(Buffer.alloc(1000)); ) {
        sent += 1;
        await new Promise(setImmediate);
      }
      assert.ok(readable.readableLength < 2 * readable.readableHighWaterMark + 1000, `${readable.readableLength} bytes are buffered`);
      producer.close();
      assert.equal((await buffer(readable)).length, 1000 * sent);
    });

    it('skip messages without bytes', async () => {
      const { producer, consumer } = oneWay();
      producer.trySendMany(['a', '', 'b', ''].map((text) => Buffer.from(text)));
      producer.close();
      assert.equal(String(await buffer(consumer.readable)), 'ab');
    });

    it('are the same ones each time', async () => {
      const { producer, consumer } = oneWay();
      const [client] = await pair();
      assert.equal(producer.writable, producer.writable);
      assert.equal(consumer.readable, consumer.readable);
      assert.equal(client.readable, client.readable);
      assert.equal(client.writable, client.writable);
    });
  });

  describe('of messages', () => {
    it('keep their borders, empty ones too', async () => {
      const [client, server] = await pair();
      const messages = ['one', '', 'three', 'x'.repeat(60_000)];
      const stream = client.stream({ objectMode: true });
      for (const message of messages) stream.write(Buffer.from(message));
      stream.end();
      const received = [];
      for await (const message of server.stream({ objectMode: true })) received.push(String(message));
      assert.deepEqual(received, messages);
    });

    it('are an error if the channel cannot hold one', async () => {
      const [client] = await pair();
      const stream = client.stream({ objectMode: true });
      const failed = new Promise((resolve) => stream.once('error', resolve));
      stream.write(Buffer.alloc(client.producer.limit + 1));
      assert.equal((await failed).code, 'ERR_OUT_OF_RANGE');
      assert.equal(client.closed, true);
    });
  });

  describe('end', () => {
    it('with ERR_MEMMAP_PEER_DIED when the other process is killed, once all is read', async () => {
      const path = nextPath();
      const child = keep(beside('duplex-peer', ['serve and stay', path, 3], []));
      await child.says('serves');
      const channel = keep(await Channel.connect(path));
      await child.says('sent');
      const failed = new Promise((resolve) => channel.writable.once('error', resolve));
      channel.readable.read(0);
      await until(() => channel.readable.readableLength > 0, 'something has been read ahead');
      await child.kill();
      await channel.gone;
      await failed;
      const received = [];
      await assert.rejects(async () => {
        for await (const chunk of channel.readable) received.push(String(chunk));
      }, PEER_DIED);
      assert.equal(received.join(''), 'message 0message 1message 2');
      assert.equal((await failed).code, PEER_DIED.code, 'that has nothing to write, too');
    });

    it('with ERR_MEMMAP_PEER_CLOSED where nobody reads any more', async () => {
      const { producer, consumer } = oneWay();
      const endless = Readable.from((function* () {
        for (;;) yield Buffer.alloc(50_000);
      })());
      const piped = pipeline(endless, producer.writable);
      await new Promise((resolve) => consumer.readable.once('data', resolve));
      consumer.readable.destroy();
      await assert.rejects(piped, PEER_CLOSED);
      assert.deepEqual([producer.closed, consumer.closed], [true, true]);
    });

    it('when they are destroyed, whatever they wait for', async () => {
      const { producer, consumer } = oneWay();
      const closed = (stream) => new Promise((resolve, reject) => stream.once('close', resolve).once('error', reject));
      const { readable } = consumer;
      readable.resume();
      await new Promise(setImmediate);
      const { writable } = producer;
      const ended = [closed(readable), closed(writable)];
      readable.destroy();
      writable.destroy();
      await Promise.all(ended);
      assert.deepEqual([producer.closed, consumer.closed], [true, true]);
    });

    it('when their signal is aborted, with the channel', async () => {
      const [client, server] = await pair();
      const controller = new AbortController();
      const stream = client.stream({ signal: controller.signal });
      const failed = new Promise((resolve) => stream.once('error', resolve));
      controller.abort();
      assert.equal((await failed).name, 'AbortError');
      assert.equal(client.closed, true);
      await server.gone;
    });

    it('with their end of the channel, without an error', async () => {
      const [client] = await pair();
      const errors = [];
      for (const stream of [client.readable, client.writable]) stream.on('error', (error) => errors.push(error));
      client.readable.resume();
      client.close();
      await new Promise(setImmediate);
      assert.deepEqual([client.readable.destroyed, client.writable.destroyed, errors], [true, true, []]);
    });
  });
});
