// What surface.mjs is, for the channels of 'memmap/shm'.
import * as shm from 'memmap/shm';
import * as zoo from './zoo.mjs';

const { callback, descriptor, integer, options, optional, word } = zoo;

const channel = shm.Channel.create({ capacity: 1 });
const producer = channel.producer();
const consumer = channel.consumer();
/** Its ends are free. */
const other = shm.Channel.create({ capacity: 1 });
const subjects = { 'Channel.': shm.Channel, Channel: other, Producer: producer, Consumer: consumer };

/** For an end that sends no more than `limit` bytes at a time. */
export const MESSAGES = (limit) => [
  ...zoo.each(zoo.TYPE, [undefined, null, 1, 1n, 'x', true, {}, [], Symbol('zoo'), new ArrayBuffer(8), new Uint16Array(1)]),
  [Buffer.alloc(limit + 1), zoo.RANGE],
];
const messages = MESSAGES(producer.limit);
const LISTS = [
  ...zoo.each(zoo.TYPE, [undefined, null, 1, 'x', {}, new Set(), ['x'], [undefined], Buffer.alloc(1)]),
  [[Buffer.alloc(1), Buffer.alloc(producer.limit + 1)], zoo.RANGE],
];
const TARGETS = [
  ...zoo.each(zoo.TYPE, [undefined, null, 1, 'x', {}, [], new ArrayBuffer(8), new Uint16Array(8)]),
  ...zoo.each(zoo.RANGE, [Buffer.alloc(0), Buffer.alloc(6)]),
];
const timeouts = [
  ...zoo.each(zoo.TYPE, [null, '', '1', 1n, true, {}, [], Symbol('zoo')]),
  ...zoo.each(zoo.RANGE, [NaN, -1, -Infinity]),
];
const signals = zoo.each(zoo.TYPE, [null, 0, 'x', {}, [], Symbol('zoo')]);
export const LISTS_OF_TIMES = { timeouts, signals };
const sync = options({ timeout: timeouts }, {});
const async = options({ timeout: timeouts, signal: signals }, {});
const spin = options({ spin: timeouts }, {});
const length = integer(0, producer.limit);
const message = Buffer.from('message');

/** name: [right arguments, wrong values for each of them, what must have been before] */
const TABLES = {
  'Channel.': {
    create: [[{ capacity: 1 }], [[
      [undefined, zoo.TYPE], ...zoo.each(zoo.TYPE, [{}]),
      ...options({ capacity: integer(1, 2 ** 30), kind: word, slow: word }, { capacity: 1 }),
    ]]],
    fromFd: [() => [channel.fd], [descriptor]],
  },
  Channel: {
    producer: [[{}], [spin]],
    consumer: [[{}], [spin]],
  },
  Producer: {
    trySend: [[message], [messages]],
    trySendMany: [[[message]], [LISTS]],
    send: [[message, {}], [messages, async]],
    sendSync: [[message, {}], [messages, sync]],
    reserve: [[8], [length]],
    room: [[8, {}], [length, async]],
    commit: [[1], [optional(integer(0, 8))], () => producer.reserve(8)],
  },
  Consumer: {
    tryReceive: [[], []],
    tryReceiveInto: [() => [Buffer.alloc(8)], [TARGETS]],
    receive: [[{}], [async]],
    receiveInto: [() => [Buffer.alloc(8), {}], [TARGETS, async]],
    receiveIntoSync: [() => [Buffer.alloc(8), {}], [TARGETS, sync]],
    receiveSync: [[{}], [sync]],
    drain: [[() => {}, {}], [[[undefined, zoo.TYPE], ...callback], options({ most: integer(1) }, {})]],
    ready: [[{}], [async]],
  },
};

const ENDED = [shm.Channel, shm.Producer, shm.Consumer];

/** Room, and a message, for each call. */
function renewed() {
  try {
    producer.commit(0);
  } catch (error) {
    if (error.code !== 'ERR_MEMMAP_NOT_RESERVED') throw error;
  }
  consumer.drain(() => {});
  producer.trySend(message);
}

export const CHANNELS = Object.entries(TABLES).flatMap(([owner, table]) =>
  Object.entries(table).map(([method, [right, wrong, before]]) => ({
    name: owner.endsWith('.') ? `${owner}${method}` : `${owner}.${method}`,
    right: typeof right === 'function' ? right : () => [...right],
    wrong,
    call: (_, args) => {
      renewed();
      before?.();
      const result = subjects[owner][method](...args);
      if (ENDED.some((type) => result instanceof type)) result.close();
      return result;
    },
  })),
);

/** Classes all of whose methods but close() are here. */
export const CHANNEL_CLASSES = ['Producer', 'Consumer'];
