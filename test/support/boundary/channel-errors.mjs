// How the errors of channels come about: see test/boundary/errors.test.mjs.
import { Channel } from 'memmap/shm';

const channel = () => (channel.last = Channel.create({ capacity: 1 }));

export const CHANNEL_ERRORS = {
  ERR_MEMMAP_TAKEN: { call: () => [channel().producer(), channel.last.producer()] },
  ERR_MEMMAP_RESERVED: { call: () => [channel().producer()].map((producer) => [producer.reserve(8), producer.reserve(8)]) },
  ERR_MEMMAP_NOT_RESERVED: { call: () => channel().producer().commit() },
  ERR_MEMMAP_DRAINING: {
    call: () => {
      const [producer, consumer] = [channel().producer(), channel.last.consumer()];
      producer.trySend(Buffer.alloc(1));
      consumer.drain(() => consumer.drain(() => {}));
    },
  },
  ERR_MEMMAP_BUSY: {
    call: () => {
      const [producer, consumer] = [channel().producer(), channel.last.consumer()];
      while (producer.trySend(Buffer.alloc(1000)));
      producer.send(Buffer.alloc(1000)).catch(() => {});
      setImmediate(() => consumer.close());
      producer.sendSync(Buffer.alloc(1));
    },
  },
  ERR_MEMMAP_PEER_CLOSED: {
    call: () => {
      const producer = channel().producer();
      channel.last.consumer().close();
      producer.trySend(Buffer.alloc(1));
    },
  },
  ERR_MEMMAP_BAD_MESSAGE: { skip: 'it takes a hostile peer: see test/shm/socket/send-fds.test.mjs' },
  ERR_MEMMAP_PEER_REFUSED: { skip: 'a promise rejects with it: see test/shm/socket/listener.test.mjs' },
  ERR_MEMMAP_PEER_DIED: { skip: 'it takes a process that is killed: see test/shm/channel/channel-death.test.mjs' },
};
