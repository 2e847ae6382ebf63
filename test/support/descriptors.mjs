// The descriptors of this process, as /proc/self/fd lists them: what leaks shows here.
import { closeSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What each descriptor leads to, by its number. */
export function descriptors() {
  const found = new Map();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      found.set(Number(fd), readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // The one that lists the folder.
    }
  }
  return found;
}

export const countDescriptors = () => descriptors().size;

/** What has been opened since `before` and is open. Others may be gone: the collector closes what tests before have forgotten. */
export function openedSince(before) {
  return [...descriptors()].filter(([fd, link]) => before.get(fd) !== link);
}

/**
 * How many rings of the kernel wait for words: libuv has others, of another size. The kernel tells
 * the sizes of what core/futex_ring.cc asked for.
 */
export function countFutexRings() {
  let count = 0;
  for (const [fd, link] of descriptors()) {
    if (link === 'anon_inode:[io_uring]' && isFutexRing(fd)) count += 1;
  }
  return count;
}

function isFutexRing(fd) {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    return /^SqMask:\s+0x3f$/m.test(info) && /^CqMask:\s+0x1ff$/m.test(info);
  } catch {
    return false; // gone meanwhile
  }
}

export function closeAll(fds) {
  for (const fd of fds) closeSync(fd);
}

/** Close-on-exec, as /proc tells: O_CLOEXEC is 02000000. */
export function closesOnExec(fd, readFile) {
  return (Number.parseInt(/^flags:\s+(\d+)/m.exec(readFile(`/proc/self/fdinfo/${fd}`, 'utf8'))[1], 8) & 0o2000000) !== 0;
}

/** What other tests have forgotten, locks and their witnesses, is closed now, and not between two counts. */
export async function closeForgotten() {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  setFlagsFromString('--no-expose-gc');
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

/** Returns keep(thing) -> thing, which is closed after the test of the calling describe block. */
export function closedAfterEach() {
  const kept = [];
  before(closeForgotten);
  afterEach(() => {
    for (const thing of kept.splice(0).toReversed()) thing.close();
  });
  return (thing) => {
    kept.push(thing);
    return thing;
  };
}
