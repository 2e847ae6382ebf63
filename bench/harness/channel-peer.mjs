// The other process of a channel's case: channel-peer.mjs HOW COUNT SPIN. Descriptor 3 is the
// channel to it, 4 the one back; it looks for SPIN microseconds before it sleeps.
import { Channel } from 'memmap/shm';

const [, , how, count, spin] = process.argv;
const rounds = Number(count);
const consumer = Channel.fromFd(3).consumer({ spin: Number(spin) });
const producer = Channel.fromFd(4).producer({ spin: Number(spin) });
const done = Buffer.from('done');
const target = Buffer.alloc(2 ** 16);

/** Receives the messages of a round, then says so. */
const receivers = {
  copied() {
    for (let i = 0; i < rounds; i++) consumer.receiveIntoSync(target);
    producer.sendSync(done);
  },
  'copied to new memory'() {
    for (let i = 0; i < rounds; i++) consumer.receiveSync();
    producer.sendSync(done);
  },
  async drained() {
    // Looks at each message from end to end.
    const use = (message) => {
      if (message.indexOf(8) !== -1) throw new Error('another message was sent');
    };
    for (let seen = 0; seen < rounds; ) {
      await consumer.ready();
      seen += consumer.drain(use);
    }
    producer.sendSync(done);
  },
  async 'drained at a glance'() {
    let bytes = 0;
    const use = (message) => {
      bytes += message[0];
    };
    for (let seen = 0; seen < rounds; ) {
      await consumer.ready();
      seen += consumer.drain(use);
    }
    if (bytes !== 7 * rounds) throw new Error('another message was sent');
    producer.sendSync(done);
  },
  echoed() {
    const message = Buffer.alloc(64, 7);
    for (let i = 0; i < rounds; i++) {
      consumer.receiveIntoSync(target);
      producer.sendSync(message);
    }
  },
  async 'echoed in the event loop'() {
    for (let i = 0; i < rounds; i++) await producer.send(await consumer.receive());
  },
};

// Sleeps between rounds: it costs the other cases nothing.
while (await consumer.ready()) await receivers[how]();
