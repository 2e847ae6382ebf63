// Messages from one process to another: how many bytes, and how many messages?
import { toNode, toPeer } from './harness/channels.mjs';

const LARGE = 2 ** 16;
const SMALL = 64;
const COUNT = { large: 20_000, small: 1_000_000 };
/** Of Node's own ways: a fiftieth takes as long. */
const FEW = { large: 2000, small: 20_000 };
const BATCH = 64;

function oneByOne({ producer, message, count }) {
  for (let i = 0; i < count; i++) producer.sendSync(message);
}

async function inBatches({ producer, message, count }) {
  const batch = Array.from({ length: BATCH }, () => message);
  for (let left = count; left > 0; ) {
    const sent = producer.trySendMany(left < BATCH ? batch.slice(0, left) : batch);
    left -= sent;
    if (sent === 0) await producer.room(message.length);
  }
}

/** The producer makes each message where it stands. */
async function inPlace({ producer, message, count }) {
  for (let i = 0; i < count; i++) {
    let bytes = producer.reserve(message.length);
    while (bytes === undefined) {
      await producer.room(message.length);
      bytes = producer.reserve(message.length);
    }
    bytes.fill(7);
    producer.commit();
  }
}

const native = (name, group, program, ...args) => ({ name, group, native: program, args: () => args });
const channel = (name, group, how, length, send) => ({
  name,
  group,
  prepare: toPeer({ how, count: COUNT[group], length, send, spins: true }),
});
const node = (name, group, how, length) => ({
  name,
  group: `${group}, few`,
  prepare: toNode({ how, count: FEW[group], length, batch: 100 }),
});

export default {
  title: 'messages between processes',
  files: () => ({}),
  cases: [
    native('C ring, 64 KiB', 'large', 'ring', LARGE, COUNT.large),
    native('C pipe, 64 KiB', 'large', 'stream', 'pipe', LARGE, COUNT.large),
    native('C Unix socket, 64 KiB', 'large', 'stream', 'socket', LARGE, COUNT.large),
    channel('channel, 64 KiB copied', 'large', 'copied', LARGE, oneByOne),
    channel('channel, 64 KiB copied to new memory', 'large', 'copied to new memory', LARGE, oneByOne),
    channel('channel, 64 KiB in place', 'large', 'drained', LARGE, inPlace),
    channel('channel, 64 KiB in place, read at a glance', 'large', 'drained at a glance', LARGE, inPlace),
    node('process.send, 64 KiB', 'large', 'process', LARGE),
    node('worker.postMessage, 64 KiB', 'large', 'thread', LARGE),
    native('C ring, 64 bytes', 'small', 'ring', SMALL, COUNT.small),
    channel('channel, 64 bytes one by one', 'small', 'copied', SMALL, oneByOne),
    channel('channel, 64 bytes in batches', 'small', 'drained', SMALL, inBatches),
    channel('channel, 64 bytes in batches, read at a glance', 'small', 'drained at a glance', SMALL, inBatches),
    node('process.send, 64 bytes', 'small', 'process', SMALL),
    node('worker.postMessage, 64 bytes', 'small', 'thread', SMALL),
  ],
  comparisons: [
    { of: 'channel, 64 KiB copied', against: 'C ring, 64 KiB', atLeast: 0.9 },
    { of: 'channel, 64 KiB copied', against: 'C pipe, 64 KiB', atLeast: 2 },
    { of: 'channel, 64 KiB copied', against: 'C Unix socket, 64 KiB' },
    { of: 'channel, 64 KiB copied', against: 'process.send, 64 KiB' },
    { of: 'channel, 64 KiB copied', against: 'worker.postMessage, 64 KiB' },
    { of: 'channel, 64 KiB copied to new memory', against: 'C ring, 64 KiB' },
    { of: 'channel, 64 KiB in place', against: 'C ring, 64 KiB', atLeast: 1.5 },
    { of: 'channel, 64 KiB in place, read at a glance', against: 'C ring, 64 KiB', atLeast: 1.5 },
    { of: 'channel, 64 bytes one by one', against: 'C ring, 64 bytes' },
    { of: 'channel, 64 bytes one by one', against: 'process.send, 64 bytes' },
    { of: 'channel, 64 bytes one by one', against: 'worker.postMessage, 64 bytes' },
    { of: 'channel, 64 bytes in batches', against: 'C ring, 64 bytes' },
    { of: 'channel, 64 bytes in batches, read at a glance', against: 'C ring, 64 bytes' },
  ],
};
