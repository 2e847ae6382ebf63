// The other process: reads numbers where they stand in the ring, many at a time.
import { Channel } from 'memmap/shm';

const consumer = Channel.fromFd(3).consumer();
const producer = Channel.fromFd(4).producer();

while (await consumer.ready()) {
  const squares = [];
  consumer.drain((message) => {
    const square = Buffer.alloc(8);
    square.writeDoubleLE(message.readDoubleLE() ** 2);
    squares.push(square);
  });
  for (const square of squares) await producer.send(square);
}
producer.close();
