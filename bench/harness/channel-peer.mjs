// The other process of bench/channel.bench.mjs: channel-peer.mjs HOW COUNT. Descriptor 3 is the
// channel to it, 4 the one back.
import { Channel } from 'memmap/shm';
import { spun } from './spin.mjs';

const [, , how, count] = process.argv;
const rounds = Number(count);
const consumer = Channel.fromFd(3).consumer();
const producer = Channel.fromFd(4).producer();
const done = Buffer.from('done');

/** Receives the messages of a round, then says so. */
const receivers = {
  copied() {
    for (let i = 0; i < rounds; i++) spun(() => consumer.tryReceive()) ?? consumer.receiveSync();
    producer.sendSync(done);
  },
  drained() {
    // Looks at each message from end to end.
    const use = (message) => {
      if (message.indexOf(8) !== -1) throw new Error('another message was sent');
    };
    for (let seen = 0; seen < rounds; ) seen += consumer.drain(use);
    producer.sendSync(done);
  },
  'echoed, spinning'() {
    for (let i = 0; i < rounds; i++) producer.trySend(spun(() => consumer.tryReceive(), Infinity));
  },
  'echoed, blocking'() {
    for (let i = 0; i < rounds; i++) producer.sendSync(consumer.receiveSync());
  },
  async 'echoed, event loop'() {
    for (let i = 0; i < rounds; i++) await producer.send(await consumer.receive());
  },
};

// Sleeps between rounds: it costs the other cases nothing.
while (await consumer.ready()) await receivers[how]();
