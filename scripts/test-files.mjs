// The test files: found, and of which kind.
import picomatch from 'picomatch';
import { readdirSync } from 'node:fs';

/** Minutes of them: what they say is asked once for a change, not after each edit. npm run test:long */
const LONG = [
  'test/package/**', // builds the package, installs it
  'test/guard/{matrix,soak}.test.mjs',
  'test/lifecycle/{churn,exhaustion}.test.mjs',
  'test/boundary/fuzz.test.mjs',
  'test/shm/**/{*model,distances,mutex,channel-death,lock-death,missing-calls}.test.mjs', // models, and hundreds of processes killed
  'test/store/{failing-disk,fuzz,kill,large,power-loss}.test.mjs',
  'test/cli/**/{bench,maps}.test.mjs', // figures; as many mappings as there may be
];

/**
 * They change what the machine has but once (pools, limits, memory), or count what others change
 * (pages of the page cache, free memory): each runs while no other does.
 */
const ALONE = [
  'test/mem/**/{huge-pages,huge-page-pools,maps,topology}.test.mjs', // pools of huge pages, and what is told of them
  'test/sys/{file,mmap-flags}.test.mjs',
  'test/shm/memory/shared-memory.test.mjs',
  'test/guard/huge-faults.test.mjs', // breaks memory
  'test/shm/wait/ring.test.mjs', // kernel.io_uring_disabled
  'test/cli/**/{doctor,maps}.test.mjs', // vm.max_map_count
  'test/cli/presence/presence-process.test.mjs', // swap
  'test/{cli/bench/bench,store/examples}.test.mjs', // what is done in so many seconds
];

const matches = (patterns) => (patterns.length > 0 ? picomatch(patterns) : () => false);

/** Whether a file is to run while no other does. */
export const isAlone = matches(ALONE);

/** Paths of test files. `length`: 'short', 'long' or 'all'. `ignore`: patterns of files to leave out. */
export function testFiles({ length = 'short', ignore = [] } = {}) {
  const [isLong, isIgnored] = [matches(LONG), matches(ignore)];
  return readdirSync('test', { recursive: true })
    .filter((path) => path.endsWith('.test.mjs'))
    .map((path) => `test/${path}`)
    .filter((path) => !isIgnored(path) && (length === 'all' || isLong(path) === (length === 'long')))
    .toSorted();
}
