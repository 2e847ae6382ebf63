// The other side of process.send() and of worker.postMessage(): answers when it is asked to.
import { parentPort } from 'node:worker_threads';

const port = parentPort ?? process;
const send = (message) => (parentPort === null ? process.send(message) : parentPort.postMessage(message));
port.on('message', ({ answer }) => {
  if (answer === true) send('done');
});
