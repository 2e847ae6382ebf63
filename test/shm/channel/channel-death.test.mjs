// Channels of every kind when a process is killed, or a worker terminated, half-way:
// lib/shm/channel/{end,members,producer,consumer}.ts, lib/shm/wait/liveness.ts.
import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { Channel, SharedMemory } from 'memmap/shm';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { LONG } from '../../support/shm/lock-memory.mjs';
import { MORTAL } from '../../support/shm/party.mjs';
import { seeded } from '../../support/random.mjs';
import { numberOf, thingsOf } from '../../support/things.mjs';
import { until } from '../../support/until.mjs';

afterEach(endKept);

const DIED = { code: 'ERR_MEMMAP_PEER_DIED', name: 'PeerError' };
const CHANNELS = {
  spsc: { kind: 'spsc' },
  mpmc: { kind: 'mpmc' },
  "broadcast, slow: 'wait',": { kind: 'broadcast', slow: 'wait' },
  "broadcast, slow: 'lose',": { kind: 'broadcast', slow: 'lose' },
};
/** Words of the header, as docs/abi.md has them: somebody may sleep until there is a message, or room. */
const SLEEPS = { receiving: 97, sending: 129 };
const big = (i) => Buffer.alloc(10_000, i);

/** All that can be received before the producer is found dead. */
async function rest(consumer) {
  const messages = [];
  await assert.rejects(async () => {
    for await (const message of consumer) messages.push(message);
  }, DIED);
  return messages;
}

for (const [victim, party] of Object.entries(MORTAL)) {
  for (const [name, options] of Object.entries(CHANNELS)) {
    describe(`${victim} at a ${name} channel`, () => {
      const waits = options.slow !== 'lose';
      const all = options.kind === 'broadcast';
      let channel;
      let there;
      let asleep;
      beforeEach(() => {
        channel = keep(Channel.create({ capacity: 1, ...options }));
        there = keep(party({ channel }));
        const words = keep(keep(SharedMemory.fromFd(channel.fd)).map()).view(Int32Array, { count: 1024 });
        asleep = (side) => until(() => Atomics.load(words, SLEEPS[side]) === 1, `one sleeps who is ${side}`);
      });

      it('as a producer leaves what it had sent, nothing of what it was making, and its place', async () => {
        const consumer = keep(channel.consumer());
        assert.equal(await there.producer.trySendMany([Buffer.from('one'), Buffer.from('two')]), 2);
        void there.acts.make();
        await there.reached;
        if (options.kind !== 'mpmc') assert.throws(() => channel.producer(), { code: 'ERR_MEMMAP_TAKEN' });
        await there.kill();
        const producer = keep(channel.producer());
        producer.trySend(Buffer.from('from another'));
        for (const text of ['one', 'two', 'from another']) assert.equal(String(await consumer.receive(LONG)), text);
        producer.close();
        assert.equal(await consumer.receive(LONG), undefined);
      });

      it('as a producer is forgotten once another has its place', async () => {
        const consumer = keep(channel.consumer());
        assert.equal(await there.producer.trySendMany([Buffer.from('one')]), 1);
        await there.kill();
        assert.deepEqual((await rest(consumer)).map(String), ['one']);
        const producer = keep(channel.producer());
        const message = consumer.receive(LONG);
        producer.trySend(Buffer.from('from another'));
        assert.equal(String(await message), 'from another');
      });

      it('as a producer in the midst of sending leaves whole messages, in order, and an error behind them', async () => {
        const next = seeded(17);
        for (const round of [1, 2, 3]) {
          const consumer = channel.consumer();
          await there.producer.trySendMany([]); // it is there: the one before is dead
          void there.acts.send(0);
          const messages = [await consumer.receive(LONG)];
          for (const end = Date.now() + next(60); Date.now() < end; ) messages.push(await consumer.receive(LONG));
          await there.kill();
          messages.push(...(await rest(consumer)));
          const numbers = messages.map(numberOf);
          if (waits) assert.deepEqual(numbers, Array.from(numbers, (_, i) => i), `round ${round}`);
          else assert.equal(numbers.length + consumer.lost, numbers.at(-1) + 1, `round ${round}`);
          assert.throws(() => consumer.receiveSync(), DIED);
          await assert.rejects(consumer.ready(), DIED);
          consumer.close();
          there = keep(party({ channel }));
        }
      });

      it('as a producer is noticed by a consumer that waits', async () => {
        const consumer = keep(channel.consumer());
        assert.equal(await there.producer.trySend(Buffer.from('last')), true);
        assert.equal(consumer.drain(() => {}), 1);
        const waiting = assert.rejects(consumer.receive(LONG), DIED);
        await there.kill();
        await waiting;
      });

      if (waits) {
        for (const act of ['send', 'sendSync']) {
          it(`as a producer that waits for room in ${act}() leaves what it had sent`, async () => {
            const consumer = keep(channel.consumer());
            let sent = 0;
            while (await there.producer.trySend(big(sent))) sent += 1;
            void there.producer[act](big(99));
            await asleep('sending');
            await there.kill();
            assert.deepEqual((await rest(consumer)).map((message) => message[9999]), [0, 1, 2, 3, 4, 5]);
            assert.equal(sent, 6);
          });
        }
      }

      it('as a consumer that reads in place, loses nothing for those who are left', async () => {
        const producer = keep(channel.producer());
        assert.equal(await there.consumer.tryReceive(), undefined);
        const other = all ? keep(channel.consumer()) : undefined;
        producer.trySendMany([Buffer.from('one'), Buffer.from('two')]);
        void there.acts.read();
        await there.reached;
        await there.kill();
        const next = other ?? keep(channel.consumer());
        producer.trySend(Buffer.from('three'));
        for (const text of ['one', 'two', 'three']) assert.equal(String(await next.receive(LONG)), text);
      });

      for (const act of ['receive', 'receiveSync']) {
        it(`as a consumer that waits in ${act}(), makes room for another`, async () => {
          const producer = keep(channel.producer());
          void there.consumer[act]();
          await asleep('receiving');
          await there.kill();
          const next = keep(channel.consumer());
          producer.trySend(Buffer.from('to another'));
          assert.equal(String(await next.receive(LONG)), 'to another');
        });
      }

      if (waits) {
        it('as a consumer that does not read is noticed by a producer that waits for room', async () => {
          const producer = keep(channel.producer());
          assert.equal(await there.consumer.tryReceive(), undefined);
          while (producer.trySend(big(1)));
          const waiting = producer.send(big(2), LONG);
          const outcome = all ? waiting : assert.rejects(waiting, DIED);
          await there.kill();
          await outcome;
          if (!all) assert.throws(() => producer.trySend(big(3)), DIED);
        });
      }

      it('as a consumer in the midst of reading takes no message from the next but those it had', async () => {
        const producer = keep(channel.producer());
        const here = thingsOf({ channel });
        void there.acts.receive();
        await asleep('receiving');
        const sending = new AbortController();
        const sends = (async () => {
          for (let i = 0; !sending.signal.aborted; i++) {
            const message = Buffer.alloc(3000, i & 255);
            message.writeUInt32LE(i);
            await producer.send(message).catch((error) => {
              assert.equal(error.code, 'ERR_MEMMAP_PEER_DIED');
              sending.abort();
            });
            await setTimeout(0);
          }
        })();
        await setTimeout(50);
        await there.kill();
        const receives = here.acts.receive();
        sending.abort();
        await sends;
        producer.close();
        const { numbers } = await receives;
        assert.deepEqual(numbers, Array.from(numbers, (_, i) => (numbers[0] ?? 0) + i));
        here.end();
      });
    });
  }
}
