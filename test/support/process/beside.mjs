// A fixture that runs beside the test, with descriptors of the test as its own from 3 on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fixture } from './run.mjs';

/** Starts the fixture `name`. It is killed when the caller's scope ends, if it has not ended. */
export function beside(name, args, fds) {
  const path = fixture(name);
  const child = spawn(process.execPath, [path, ...args.map(String)], { stdio: ['ignore', 'pipe', 'pipe', ...fds] });
  const texts = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => (texts[stream] += text));
  let over = false;
  const ended = once(child, 'close').then(([code, signal]) => {
    over = true;
    return { code, signal };
  });
  return {
    ended,
    output: () => texts.stdout,
    errors: () => texts.stderr,
    /** Resolves when it has written so much. */
    async says(line) {
      while (!texts.stdout.includes(line)) {
        // Not once it has exited: what it wrote before may still be on its way.
        if (over) throw new Error(`${name} ended: ${texts.stderr}`);
        await Promise.race([once(child.stdout, 'data'), ended]);
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async [Symbol.asyncDispose]() {
      await this.kill();
    },
  };
}
