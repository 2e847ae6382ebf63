// The worker thread that `memmap bench` sends messages to: over a channel, or over Node's port.
import { parentPort, workerData } from 'node:worker_threads';
import { Channel } from '../../shm/index.js';

/** The worker's data: the number of messages in a round, and descriptors of the channels to it and back. */
export interface PeerData {
  readonly count: number;
  readonly there: number;
  readonly back: number;
}

const { count, there, back } = workerData as PeerData;
const [incoming, outgoing] = [Channel.fromFd(there), Channel.fromFd(back)];
const consumer = incoming.consumer();
const producer = outgoing.producer();
const done = Buffer.from('done');

let posted = 0;
parentPort?.on('message', () => {
  posted += 1;
  if (posted % count === 0) parentPort?.postMessage(done);
});

let received = 0;
const receive = (): void => {
  received += 1;
};
while (await consumer.ready()) {
  consumer.drain(receive);
  if (received < count) continue;
  received = 0;
  producer.sendSync(done);
}
parentPort?.close();
