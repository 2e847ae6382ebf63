// Buffers that nobody holds but who has got them: posted and dropped, waiting in a port's queue,
// cloned; and calls in the background, whose mapping is closed meanwhile.
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { mapFile, maps, memoryPolicy } from 'memmap';
import { get_mempolicy } from 'memmap/sys';
import { assertBytes, FULL } from '../files.mjs';

const MOST = 10;

export function postingActs({ one, next, files, steady, count, lend, gone }) {
  /** Buffers that only a queue holds: of files that keep their bytes, or do not. */
  const queue = new MessageChannel();
  let queued = 0;
  queue.port1.unref();
  queue.port2.unref();

  const shared = (path) => mapFile(path, { buffer: 'shared' });

  return {
    post() {
      // Nothing is closed here, and nothing kept.
      lend(shared(one([...files, ...steady])), true);
      count('posts');
    },
    queue() {
      const path = one(steady);
      queue.port1.postMessage(shared(path).buffer);
      queued += 1;
      count('queued');
      if (queued < MOST) return;
      queued -= 1;
      const { message } = receiveMessageOnPort(queue.port2);
      assertBytes(new Uint8Array(message, 0, FULL), 0, next, 'a buffer that waited in a queue');
    },
    clone() {
      const { buffer } = shared(one(files));
      const bytes = new Uint8Array(structuredClone({ buffer }).buffer);
      for (let i = 0; i < 20 && bytes.length > 0; i++) void bytes[next(bytes.length)];
      count('clones');
    },
    background() {
      const mapping = mapFile(one(files), { access: 'read-write', buffer: one(['shared', 'array']) });
      const range = mapping.length > 0 ? {} : undefined;
      for (const start of [() => mapping.flushAsync(range), () => mapping.populateAsync(range)]) start().catch(() => {});
      gone(mapping);
      count('background');
    },
    /** What makes arrays in the addon. */
    question() {
      const mapping = mapFile(one(files));
      try {
        const ask = [() => mapping.residency(), () => get_mempolicy(), () => memoryPolicy(), () => mapping.nodes(), () => maps({ at: mapping.address })];
        if (mapping.length > 0) one(ask)();
        count('questions');
      } finally {
        gone(mapping);
      }
    },
    end() {
      queue.port1.close();
    },
  };
}
