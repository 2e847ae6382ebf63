// Processes at the locks of a test; each ends with the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../fixtures/shm/lock-peer.mjs', import.meta.url));

/** Returns start(fd, act, lock, times?) -> { child, done(), kill() }. */
export function lockPeers(wrapper = []) {
  const children = [];
  afterEach(async () => {
    for (const { child } of children) child.kill('SIGKILL');
    await Promise.all(children.splice(0).map(({ ended }) => ended)); // with the descriptors that led to them
  });
  return async (fd, act, lock, times = 1) => {
    const [program, ...args] = [...wrapper, process.execPath, PROGRAM, act, lock, String(times)];
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', fd, 'ipc'] });
    const said = [];
    child.on('message', (word) => said.push(word));
    // Not 'exit': its last words may come after that.
    let over = false;
    const ended = once(child, 'close').then(() => (over = true));
    children.push({ child, ended });
    const hears = async (word) => {
      while (!said.includes(word)) {
        if (over) throw new Error(`the peer ended with ${child.exitCode ?? child.signalCode}`);
        await Promise.race([once(child, 'message'), ended]);
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
