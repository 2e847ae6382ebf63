// What the parties of a test have, and what they do with it besides calling its methods.
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { Barrier, Event, Mutex, RwLock, Semaphore } from 'memmap/shm';
import { seeded } from './random.mjs';

/** Where the locks are, in bytes, and the counter that they guard. */
export const PLACES = { mutex: 0, rwLock: 256, semaphore: 512, event: 520, barrier: 528 };
const COUNTER = 1024;

/** The locks in memory: of a mapping, or its buffer. */
function locksOf(memory, stop) {
  const counter = new Int32Array(memory.buffer ?? memory, (memory.byteOffset ?? 0) + COUNTER, 1);
  const locks = {
    mutex: new Mutex(memory, PLACES.mutex),
    rwLock: new RwLock(memory, PLACES.rwLock),
    semaphore: new Semaphore(memory, PLACES.semaphore),
    event: new Event(memory, PLACES.event),
    barrier: new Barrier(memory, PLACES.barrier, 2),
  };
  const WAYS = {
    mutex: ['lock', 'lockAsync', 'unlock'],
    rwLock: ['lock', 'lockAsync', 'unlock'],
    semaphore: ['acquire', 'acquireAsync', 'release'],
  };
  const acts = {
    /** Counts up as nobody could who is not alone; blocks the thread now and then if it may. */
    async count(name, times, blocks) {
      const [lock, lockAsync, unlock] = WAYS[name];
      for (let i = 0; i < times; i++) {
        if (blocks && i % 8 !== 0) locks[name][lock]();
        else await locks[name][lockAsync]();
        const before = counter[0];
        if (i % 64 === 0) await setImmediate();
        for (let j = 0; j < 20; j++) Atomics.load(counter, 0);
        counter[0] = before + 1;
        locks[name][unlock]();
      }
    },
    /** Stops with what it got. */
    hold(name, method) {
      locks[name][method]();
      stop();
    },
  };
  return { ...locks, acts, end() {} };
}

/** Message `number` of a seed: the number, and as many bytes of it as the seed says. */
export function messageOf(number, next) {
  const message = Buffer.alloc(4 + next(3000), number & 255);
  message.writeUInt32LE(number);
  return message;
}

/** The number of a message that is whole. */
export function numberOf(message) {
  const number = message.readUInt32LE();
  assert.ok(message.subarray(4).every((byte) => byte === (number & 255)), `message ${number} is torn`);
  return number;
}

const inPlace = (producer, message) => {
  const bytes = producer.reserve(message.length);
  if (bytes === undefined) return false;
  bytes.set(message);
  producer.commit();
  return true;
};
/** Each says whether it has sent the message. */
const SENDING = [
  (producer, message) => producer.trySend(message),
  (producer, message) => producer.trySendMany([message]) === 1,
  inPlace,
  async (producer, message) => {
    await producer.room(message.length);
    return inPlace(producer, message);
  },
  () => false,
];

const received = (message, take) => {
  if (message !== undefined) take(message);
  return message !== undefined;
};
/** Each says whether more may come. */
const RECEIVING = [
  async (consumer, take) => received(await consumer.receive(), take),
  async (consumer, take) => {
    const more = await consumer.ready();
    if (more) consumer.drain(take, { most: 5 });
    return more;
  },
  async (consumer, take) => {
    const more = await consumer.ready();
    received(consumer.tryReceive(), take);
    return more;
  },
];

/** The ends of a channel: each is made when it is first asked for. */
function endsOf(channel, stop) {
  const made = {};
  const end = (name) => (made[name] ??= channel[name]());
  const acts = {
    /** Sends messages `first`, `first` + 1 and so on, in every way there is. */
    async send(first, count = Infinity) {
      const next = seeded(first + 1);
      for (let i = first; i < first + count; i++) {
        const message = messageOf(i, next);
        if (!(await SENDING[i % SENDING.length](ends.producer, message))) await ends.producer.send(message);
      }
    },
    /** The numbers of all messages until the producers close, received in every way. */
    async receive() {
      const numbers = [];
      const take = (message) => void numbers.push(numberOf(message));
      while (await RECEIVING[numbers.length % RECEIVING.length](ends.consumer, take));
      return { numbers, lost: ends.consumer.lost };
    },
    /** Stops with a message that is half made. */
    make() {
      ends.producer.reserve(1000).fill(0xff);
      stop();
    },
    /** Stops with a message that is half read. */
    read() {
      ends.consumer.drain(stop);
    },
  };
  const ends = {
    get producer() {
      return end('producer');
    },
    get consumer() {
      return end('consumer');
    },
    acts,
    end() {
      for (const one of Object.values(made)) one.close();
    },
  };
  return ends;
}

/** @param stop is called by an act that is to stop half-way: does not return */
export function thingsOf({ memory, channel }, stop) {
  return channel === undefined ? locksOf(memory, stop) : endsOf(channel, stop);
}

/** Calls a method of a thing, or gets a property of it. */
export async function ask(things, thing, act, args) {
  const one = things[thing];
  return typeof one[act] === 'function' ? one[act](...args) : one[act];
}
