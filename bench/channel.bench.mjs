// Messages from one process to another: how many bytes, how many messages, and how long for one
// there and back?
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Channel } from 'memmap/shm';
import { spun } from './harness/spin.mjs';

const PEER = fileURLToPath(new URL('harness/channel-peer.mjs', import.meta.url));
const LARGE = 2 ** 16;
const SMALL = 64;
const COUNT = { large: 20_000, small: 1_000_000, trips: 10_000, blocking: 3000 };
const BATCH = 64;

/** Both ways to a process of its own. `send` gets a producer and a message; its messages end with one back. */
function toPeer(how, count, length, send, answers = 1) {
  return () => {
    const [there, back] = [0, 1].map(() => Channel.create({ capacity: 2 ** 20 }));
    const peer = spawn(process.execPath, [PEER, how, String(count)], { stdio: ['ignore', 'ignore', 'inherit', there.fd, back.fd] });
    peer.unref();
    const [producer, consumer] = [there.producer(), back.consumer()];
    const message = Buffer.alloc(length, 7);
    return {
      operations: count,
      async round() {
        await send({ producer, consumer, message, count });
        for (let i = 0; i < answers; i++) await consumer.receive();
        return count;
      },
    };
  };
}

function oneByOne({ producer, message, count }) {
  for (let i = 0; i < count; i++) spun(() => producer.trySend(message) || undefined) ?? producer.sendSync(message);
}

function inBatches({ producer, message, count }) {
  const batch = Array.from({ length: BATCH }, () => message);
  for (let left = count; left > 0; ) {
    left -= producer.trySendMany(left < BATCH ? batch.slice(0, left) : batch);
  }
}

/** The producer makes each message where it stands. */
async function inPlace({ producer, message, count }) {
  for (let i = 0; i < count; i++) {
    const bytes = spun(() => producer.reserve(message.length));
    if (bytes === undefined) {
      await producer.room(message.length);
      i -= 1;
      continue;
    }
    bytes.fill(7);
    producer.commit();
  }
}

function spinning({ producer, consumer, message, count }) {
  for (let i = 0; i < count; i++) {
    producer.trySend(message);
    spun(() => consumer.tryReceive(), Infinity);
  }
}

function blocking({ producer, consumer, message, count }) {
  for (let i = 0; i < count; i++) {
    producer.sendSync(message);
    consumer.receiveSync();
  }
}

async function turning({ producer, consumer, message, count }) {
  for (let i = 0; i < count; i++) {
    await producer.send(message);
    await consumer.receive();
  }
}

const native = (name, group, program, ...args) => ({ name, group, native: program, args: () => args });

export default {
  title: 'messages between processes',
  files: () => ({}),
  cases: [
    native('C ring, 64 KiB', 'large', 'ring', LARGE, COUNT.large),
    native('C pipe, 64 KiB', 'large', 'stream', 'pipe', LARGE, COUNT.large),
    native('C Unix socket, 64 KiB', 'large', 'stream', 'socket', LARGE, COUNT.large),
    { name: 'channel, 64 KiB copied', group: 'large', prepare: toPeer('copied', COUNT.large, LARGE, oneByOne) },
    { name: 'channel, 64 KiB in place', group: 'large', prepare: toPeer('drained', COUNT.large, LARGE, inPlace) },
    native('C ring, 64 bytes', 'small', 'ring', SMALL, COUNT.small),
    { name: 'channel, 64 bytes one by one', group: 'small', prepare: toPeer('copied', COUNT.small, SMALL, oneByOne) },
    { name: 'channel, 64 bytes in batches', group: 'small', prepare: toPeer('drained', COUNT.small, SMALL, inBatches) },
    native('C cache line, there and back', 'trips', 'ping_pong', 'spin', COUNT.trips),
    { name: 'channel, there and back, spinning', group: 'trips', prepare: toPeer('echoed, spinning', COUNT.trips, SMALL, spinning, 0) },
    native('C futex, there and back', 'blocking', 'ping_pong', 'futex', COUNT.blocking),
    native('C eventfd, there and back', 'blocking', 'ping_pong', 'eventfd', COUNT.blocking),
    { name: 'channel, there and back, blocking', group: 'blocking', prepare: toPeer('echoed, blocking', COUNT.blocking, SMALL, blocking, 0) },
    { name: 'channel, there and back, event loop', group: 'blocking', prepare: toPeer('echoed, event loop', COUNT.blocking, SMALL, turning, 0) },
  ],
  comparisons: [
    { of: 'channel, 64 KiB copied', against: 'C ring, 64 KiB', atLeast: 0.9 },
    { of: 'channel, 64 KiB copied', against: 'C pipe, 64 KiB', atLeast: 2 },
    { of: 'channel, 64 KiB copied', against: 'C Unix socket, 64 KiB' },
    { of: 'channel, 64 KiB in place', against: 'C ring, 64 KiB', atLeast: 1.5 },
    { of: 'channel, 64 bytes one by one', against: 'C ring, 64 bytes' },
    { of: 'channel, 64 bytes in batches', against: 'C ring, 64 bytes' },
    { of: 'channel, there and back, spinning', against: 'C cache line, there and back', atMost: 2 },
    { of: 'channel, there and back, blocking', against: 'C futex, there and back', atMost: 1.5 },
    { of: 'channel, there and back, event loop', against: 'C eventfd, there and back' },
  ],
};
