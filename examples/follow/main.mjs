// node examples/follow/main.mjs FILE: prints the lines of a log as they come, until Ctrl-C.
import { follow } from './follow.mjs';

const [path] = process.argv.slice(2);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
// Whoever reads the lines has had enough.
process.stdout.once('error', () => stop.abort());

try {
  for await (const line of follow(path, { signal: stop.signal })) process.stdout.write(`${line}\n`);
} catch (error) {
  if (error.code === undefined) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
