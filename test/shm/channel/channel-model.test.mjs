// The ring and the event counts of a channel in every order of their accesses, over simulated memory:
// lib/shm/channel/{ring,event-count}.ts.
import assert from 'node:assert/strict';
import { RingReader, RingWriter, EventCount, WORD } from '../../support/shm/channel-internals.mjs';
import { everyOrder } from '../../support/shm/interleavings.mjs';

/** Two records of 16 bytes. */
const CAPACITY = 32;
const wholeLoop = { writes: RingWriter, reads: RingReader, signals: EventCount };

/** A message is told by its length: 1, 2, 3 and so on. */
const message = (number) => ({ length: number });

/** As Producer.sendSync(). */
const producer = (count, { writes: Writer, signals: Bell }) => ({ words, memory }) => {
  const ring = new Writer(words, memory, CAPACITY);
  const [messages, room] = [new Bell(words, WORD.messages), new Bell(words, WORD.room)];
  ring.resume();
  for (let i = 1; i <= count; ) {
    const seen = room.prepare();
    if (!ring.fits(i)) {
      room.sleep(seen, 0);
      continue;
    }
    ring.put(message(i));
    ring.publish();
    messages.notify();
    i += 1;
  }
};

/** As Consumer.receiveSync(). */
const consumer = (count, { reads: Reader, signals: Bell }) => ({ words, memory, note }) => {
  const ring = new Reader(words, memory, CAPACITY);
  const [messages, room] = [new Bell(words, WORD.messages), new Bell(words, WORD.room)];
  ring.resume();
  for (let got = 0; got < count; ) {
    const seen = messages.prepare();
    const length = ring.next();
    if (length < 0) {
      messages.sleep(seen, 0);
      continue;
    }
    note(length);
    ring.skip(length);
    ring.release();
    room.notify();
    got += 1;
  }
};

const exchange = (count, parts) =>
  everyOrder([producer(count, parts), consumer(count, parts)], (notes) =>
    assert.deepEqual(notes, Array.from({ length: count }, (_, i) => i + 1)),
  );

describe('a ring between two threads, in every order of their accesses', () => {
  it('brings all messages in order, and lets nobody sleep for ever', function () {
    this.timeout(120_000);
    const states = exchange(3, wholeLoop);
    assert.ok(states > 1000, `${states} states`);
  });
});

describe('the model finds a signal', () => {
  /** An EventCount into which tests put mistakes. */
  class Bell {
    constructor(words, index) {
      Object.assign(this, { words, index });
    }
    prepare() {
      const seen = this.words.load(this.index);
      this.words.store(this.index + 1, 1);
      return seen;
    }
    notify() {
      if (this.words.load(this.index + 1) !== 0) this.wake();
    }
    wake() {
      this.words.store(this.index + 1, 0);
      this.words.add(this.index, 1);
      this.words.wake(this.index);
    }
    sleep(seen) {
      this.words.sleep(this.index, seen);
    }
  }

  const variants = {
    'that announces no sleeper': class extends Bell {
      prepare() {
        return this.words.load(this.index);
      }
    },
    'that takes the count when it sleeps': class extends Bell {
      sleep() {
        super.sleep(this.words.load(this.index));
      }
    },
    'that wakes before it counts': class extends Bell {
      wake() {
        this.words.store(this.index + 1, 0);
        this.words.wake(this.index);
        this.words.add(this.index, 1);
      }
    },
    'that does not count': class extends Bell {
      wake() {
        this.words.store(this.index + 1, 0);
        this.words.wake(this.index);
      }
    },
  };
  for (const [what, Variant] of Object.entries(variants)) {
    it(what, function () {
      this.timeout(120_000);
      assert.throws(() => exchange(3, { ...wholeLoop, signals: Variant }), /a wake-up was lost/);
    });
  }
});

describe('the model finds a ring', () => {
  it('whose reader gives the place back before it has read the message', function () {
    this.timeout(120_000);
    const hasty = (count) => ({ words, memory, note }) => {
      const ring = new RingReader(words, memory, CAPACITY);
      const [messages, room] = [new EventCount(words, WORD.messages), new EventCount(words, WORD.room)];
      ring.resume();
      for (let got = 0; got < count; ) {
        const seen = messages.prepare();
        const at = (ring.offset - 8) / 4;
        const length = ring.next();
        if (length < 0) {
          messages.sleep(seen, 0);
          continue;
        }
        ring.skip(length);
        ring.release();
        room.notify();
        note(memory.words[at]);
        got += 1;
      }
    };
    assert.throws(() =>
      everyOrder([producer(3, wholeLoop), hasty(3)], (notes) => assert.deepEqual(notes, [1, 2, 3])),
    );
  });
});
