// Two processes exchange messages through shared memory: this one sends numbers, the other
// answers with their squares. `node examples/ipc-two-processes/main.mjs [COUNT]`
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Channel } from 'memmap/shm';

const count = Number(process.argv[2] ?? 100_000);

const questions = Channel.create({ capacity: 2 ** 20 });
const answers = Channel.create({ capacity: 2 ** 20 });
const child = spawn(process.execPath, [fileURLToPath(new URL('squares.mjs', import.meta.url))], {
  stdio: ['ignore', 'inherit', 'inherit', questions.fd, answers.fd], // its descriptors 3 and 4
});

async function ask() {
  const producer = questions.producer();
  const message = Buffer.alloc(8);
  for (let i = 0; i < count; i++) {
    message.writeDoubleLE(i);
    await producer.send(message); // waits only while the ring is full
  }
  producer.close(); // the other side's loop ends
}

async function listen() {
  let sum = 0;
  for await (const answer of answers.consumer()) sum += answer.readDoubleLE();
  return sum; // the other side has closed; had it died, the loop would have thrown
}

const start = performance.now();
const [, sum] = await Promise.all([ask(), listen()]);
const seconds = (performance.now() - start) / 1000;
console.log(`process ${child.pid} squared ${count} numbers in ${seconds.toFixed(2)} s; their sum is ${sum}`);
