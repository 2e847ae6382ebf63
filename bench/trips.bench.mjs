// How long does it take a message to a process and back, each on a core of its own? (On one
// core it is another question: no idle core has to be woken, and nobody may spin.)
import { toNode, toPeer } from './harness/channels.mjs';

const COUNT = { spinning: 50_000, sleeping: 3000 };
const LENGTH = 64;

function blocking({ producer, consumer, message, count }) {
  const target = Buffer.alloc(LENGTH);
  for (let i = 0; i < count; i++) {
    producer.sendSync(message);
    consumer.receiveIntoSync(target);
  }
}

async function turning({ producer, consumer, message, count }) {
  for (let i = 0; i < count; i++) {
    await producer.send(message);
    await consumer.receive();
  }
}

function turns() {
  return {
    operations: COUNT.sleeping,
    async round() {
      for (let i = 0; i < COUNT.sleeping; i++) await new Promise((resolve) => setImmediate(resolve));
      return COUNT.sleeping;
    },
  };
}

const native = (name, group, how) => ({ name, group, native: 'ping_pong', args: () => [how, COUNT[group]] });
const channel = (name, group, how, send, spins = false) => ({
  name,
  group,
  prepare: toPeer({ how, count: COUNT[group], length: LENGTH, send, answers: 0, spins, apart: true }),
});
const node = (name, how) => ({ name, group: 'sleeping', prepare: toNode({ how, count: COUNT.sleeping, length: LENGTH, apart: true }) });

export default {
  title: 'there and back',
  files: () => ({}),
  cases: [
    native('C, a cache line', 'spinning', 'spin'),
    channel('channel, spinning', 'spinning', 'echoed', blocking, true),
    native('C, a futex', 'sleeping', 'futex'),
    native('C, an eventfd', 'sleeping', 'eventfd'),
    channel('channel, blocking', 'sleeping', 'echoed', blocking),
    channel('channel, event loop', 'sleeping', 'echoed in the event loop', turning),
    node('process.send', 'process'),
    node('worker.postMessage', 'thread'),
    { name: 'Node, a turn of its event loop', group: 'sleeping', prepare: turns },
  ],
  comparisons: [
    { of: 'channel, spinning', against: 'C, a cache line', atMost: 2 },
    { of: 'channel, blocking', against: 'C, a futex', atMost: 1.5 },
    { of: 'channel, event loop', against: 'C, an eventfd', atMost: 1.3 },
    { of: 'channel, event loop', against: 'process.send' },
    { of: 'channel, event loop', against: 'worker.postMessage' },
    { of: 'channel, event loop', against: 'Node, a turn of its event loop' },
  ],
};
