// A fixture that runs beside the test, with descriptors of the test as its own from 3 on.
import { once } from 'node:events';
import { start } from './program.mjs';
import { fixture } from './run.mjs';

/** Starts the fixture `name`. It is killed when the caller's scope ends, if it has not ended. */
export function beside(name, args, fds) {
  const { child, output, errors, ...program } = start(process.execPath, [fixture(name), ...args], { stdio: ['ignore', 'pipe', 'pipe', ...fds] });
  let over = false;
  const ended = program.ended.then(({ code, signal }) => {
    over = true;
    return { code, signal };
  });
  return {
    ended,
    output,
    errors,
    /** Resolves when it has written so much. */
    async says(line) {
      while (!output().includes(line)) {
        // Not once it has exited: what it wrote before may still be on its way.
        if (over) throw new Error(`${name} ended: ${errors()}`);
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
