// Processes at the locks of a test; each ends with the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../fixtures/lock-peer.mjs', import.meta.url));

/** Returns start(fd, act, lock, times?) -> { child, done(), kill() }. */
export function lockPeers(wrapper = []) {
  const children = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  return async (fd, act, lock, times = 1) => {
    const [program, ...args] = [...wrapper, process.execPath, PROGRAM, act, lock, String(times)];
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', fd, 'ipc'] });
    children.push(child);
    const said = [];
    child.on('message', (word) => said.push(word));
    const hears = async (word) => {
      while (!said.includes(word)) {
        const [code] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
        if (typeof code === 'number' && !said.includes(word)) throw new Error(`the peer ended with ${code}`);
      }
    };
    await hears('begins');
    return {
      child,
      done: () => hears('done'),
      async kill() {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      },
    };
  };
}
