// The workloads of `memmap bench`: the same work by memmap and by Node itself. Results must be equal.
import { closeSync, fdatasyncSync, fsyncSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { mapFile, residencyOf } from '../../index.js';
import { Channel } from '../../shm/index.js';
import { pathNamed } from '../common/names.js';
import type { PeerData } from './peer.js';

/** The worker that receives messages: a separate file of the bundle, wherever this module is. */
const PEER = new URL('dist/cli/bench/peer.js', import.meta.resolve('memmap/package.json'));

/** One way to do the work. Its results are compared. */
export interface Way {
  /** The measured calls. */
  readonly name: string;
  readonly run: () => unknown;
}

/** A comparison that is ready to run. */
export interface Contest {
  readonly title: string;
  /** Operations in a run. */
  readonly operations: number;
  readonly ours: Way;
  /** Undefined: Node has no way. */
  readonly theirs?: Way;
  readonly end?: () => void;
}

/** The files of the benchmark. */
export interface Ground {
  /** The file that is only read. */
  readonly path: string;
  /** A temporary directory for files that are written. */
  readonly directory: string;
}

const READS = 20_000;
const WRITES = 20_000;
/** Words that are changed between two flushes. */
const FLUSHED = 64;
const MESSAGES = 5000;
const MESSAGE = 64;
const WORD = 8;
const NEWLINE = 10;
const SCRATCH_SIZE = 4 * 2 ** 20;

/** Calls `use` with `times` pseudorandom numbers below `limit`, the same ones each time. */
function anywhere(times: number, limit: number, use: (at: number) => void): void {
  let x = 88675123;
  for (let i = 0; i < times; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    use((x >>> 0) % limit);
  }
}

function opening({ path: name }: Ground): Contest {
  const path = pathNamed(name);
  return {
    title: 'open, read a byte',
    operations: 1,
    ours: {
      name: 'mapFile',
      run: () => {
        const file = mapFile(path);
        const [first] = file.bytes;
        file.close();
        return first;
      },
    },
    theirs: { name: 'fs.readFileSync', run: () => readFileSync(path)[0] },
  };
}

function reading({ path: name }: Ground): Contest {
  const path = pathNamed(name);
  const file = mapFile(path);
  const words = Math.floor(file.length / WORD);
  const view = file.view(Float64Array, { count: words });
  const fd = openSync(path, 'r');
  const word = new Float64Array(1);
  return {
    title: 'read 8 bytes anywhere',
    operations: READS,
    ours: {
      name: 'view()[i]',
      run: () => {
        let sum = 0;
        anywhere(READS, words, (at) => (sum += view[at] as number));
        return sum;
      },
    },
    theirs: {
      name: 'fs.readSync',
      run: () => {
        let sum = 0;
        anywhere(READS, words, (at) => {
          readSync(fd, word, 0, WORD, at * WORD);
          sum += word[0] as number;
        });
        return sum;
      },
    },
    end: () => {
      closeSync(fd);
      file.close();
    },
  };
}

function counting({ path: name }: Ground): Contest {
  const path = pathNamed(name);
  return {
    title: 'count lines',
    operations: 1,
    ours: {
      name: 'mapFile, count(10)',
      run: () => {
        const file = mapFile(path);
        const lines = file.count(NEWLINE);
        file.close();
        return lines;
      },
    },
    theirs: {
      name: 'readFileSync, a loop',
      run: () => {
        const bytes = readFileSync(path);
        let lines = 0;
        for (let i = 0; i < bytes.length; i++) if (bytes[i] === NEWLINE) lines += 1;
        return lines;
      },
    },
  };
}

/** A file on the disk, mapped and as a descriptor. */
function written(directory: string): { view: Float64Array; fd: number; flush: () => void; end: () => void } {
  const path = pathNamed(join(directory, 'written.bin'));
  writeFileSync(path, Buffer.alloc(SCRATCH_SIZE));
  const file = mapFile(path, { access: 'read-write' });
  const fd = openSync(path, 'r+');
  fsyncSync(fd);
  const end = (): void => {
    closeSync(fd);
    file.close();
  };
  return { view: file.view(Float64Array), fd, flush: () => file.flush(), end };
}

function writing({ directory }: Ground): Contest {
  const { view, fd, end } = written(directory);
  const word = new Float64Array(1);
  return {
    title: 'write 8 bytes anywhere',
    operations: WRITES,
    ours: { name: 'view()[i] = x', run: () => anywhere(WRITES, view.length, (at) => (view[at] = at)) },
    theirs: {
      name: 'fs.writeSync',
      run: () => anywhere(WRITES, view.length, (at) => {
        word[0] = at;
        writeSync(fd, word, 0, WORD, at * WORD);
      }),
    },
    end,
  };
}

function flushing({ directory }: Ground): Contest {
  const { view, fd, flush, end } = written(directory);
  const word = new Float64Array(1);
  let value = 0;
  return {
    title: `write ${FLUSHED} words, flush`,
    operations: 1,
    ours: {
      name: 'view()[i], flush()',
      run: () => {
        value += 1;
        anywhere(FLUSHED, view.length, (at) => (view[at] = value));
        flush();
      },
    },
    theirs: {
      name: 'writeSync, fdatasync',
      run: () => {
        value += 1;
        word[0] = value;
        anywhere(FLUSHED, view.length, (at) => writeSync(fd, word, 0, WORD, at * WORD));
        fdatasyncSync(fd);
      },
    },
    end,
  };
}

function messaging(): Contest {
  const [there, back] = [Channel.create({ capacity: 2 ** 20 }), Channel.create({ capacity: 4096 })];
  const worker = new Worker(PEER, { workerData: { count: MESSAGES, there: there.fd, back: back.fd } satisfies PeerData });
  // If the worker fails, waits for it must end.
  let failed: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_resolve, reject) => (failed = reject));
  failure.catch(() => undefined);
  worker.on('error', failed);
  worker.unref();
  const producer = there.producer();
  const consumer = back.consumer();
  const message = Buffer.alloc(MESSAGE, 7);
  return {
    title: `${MESSAGE} bytes to a thread`,
    operations: MESSAGES,
    ours: {
      name: 'Channel',
      run: async () => {
        for (let i = 0; i < MESSAGES; i++) if (!producer.trySend(message)) await Promise.race([producer.send(message), failure]);
        return String(await Promise.race([consumer.receive(), failure]));
      },
    },
    theirs: {
      name: 'worker.postMessage',
      run: async () => {
        const answer = new Promise<Uint8Array>((resolve) => worker.once('message', resolve));
        for (let i = 0; i < MESSAGES; i++) worker.postMessage(message);
        return Buffer.from(await Promise.race([answer, failure])).toString();
      },
    },
    end: () => {
      void worker.terminate();
      producer.close();
      consumer.close();
      there.close();
      back.close();
    },
  };
}

function asking({ path }: Ground): Contest {
  return { title: 'which pages are in memory', operations: 1, ours: { name: 'residencyOf', run: () => residencyOf(pathNamed(path)).resident } };
}

/** In the order in which they run. Each opens its files when its turn comes. */
export const QUESTIONS: readonly ((ground: Ground) => Contest)[] = [opening, reading, counting, writing, flushing, messaging, asking];
