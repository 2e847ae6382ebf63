// One of the pool: takes a question as soon as it is free, and looks at the whole table for it.
import { workerData } from 'node:worker_threads';
import { Channel } from 'memmap/shm';
import { openTable } from './table.mjs';

const { questions, answers, table, copy } = workerData;
// The very pages that the main thread has filled; or, to compare, a copy of its own.
const { temperatures, stations } = copy ?? openTable(table);

const consumer = Channel.fromFd(questions).consumer();
const producer = Channel.fromFd(answers).producer();

for await (const question of consumer) {
  const station = question.readUInt32LE();
  let [count, sum, least, most] = [0, 0, Infinity, -Infinity];
  for (let row = 0; row < stations.length; row++) {
    if (stations[row] !== station) continue;
    const temperature = temperatures[row];
    count += 1;
    sum += temperature;
    least = Math.min(least, temperature);
    most = Math.max(most, temperature);
  }
  await producer.send(Buffer.from(Float64Array.of(station, least, sum / count, most).buffer));
}
producer.close();
consumer.close();
