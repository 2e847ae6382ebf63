// The test files: found, and of which kind.
import picomatch from 'picomatch';
import { readdirSync } from 'node:fs';

/** Minutes of them: what they say is asked once for a change, not after each edit. npm run test:long */
const LONG = [
  'test/package/**', // builds the package, installs it
  'test/file/long-lines.test.mjs', // reads gigabytes
  'test/guard/{matrix,soak}.test.mjs',
  'test/lifecycle/{churn,exhaustion}.test.mjs',
  'test/boundary/{fuzz,runners}.test.mjs', // jest and vitest, five times
  'test/shm/**/{*model,distances,mutex,channel-death,lock-death,missing-calls}.test.mjs', // models, and hundreds of processes killed
  'test/http/wrk.test.mjs', // tens of thousands of requests
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

/**
 * What an engine can do differently: make buffers, collect them, end threads, load modules, deliver
 * events; and one file of each room. For engines between the oldest and the newest.
 */
const SMOKE = [
  'test/boundary/{loading,no-external-buffers,sinks}.test.mjs',
  'test/lifecycle/**',
  'test/guard/{attacked,copy,descriptors,events,handler,identity,not-ours,out-of-reach,refresh,strays,system-calls,threads,unguarded}.test.mjs',
  'test/mem/{anonymous,background,detached,mapping,pages}.test.mjs',
  'test/file/{file-mapping,map-file,reservation,windows}.test.mjs',
  'test/sys/{mmap,mremap,munmap,where}.test.mjs',
  'test/shm/{lock/{locks,lost-memory},memory/shared-memory,socket/{listener,send-fds},wait/ring}.test.mjs',
  'test/shm/channel/{channel,duplex-channel,streams}.test.mjs',
  'test/http/respond.test.mjs',
  'test/store/{store,transaction}.test.mjs',
  'test/cli/touch.test.mjs',
];

const matches = (patterns) => (patterns.length > 0 ? picomatch(patterns) : () => false);

/** Whether a file is to run while no other does. */
export const isAlone = matches(ALONE);

/**
 * Paths of test files. `length`: 'short', 'long' or 'all'. `ignore`: patterns of files to leave out.
 * `smoke`: of these, what an engine can do differently.
 */
export function testFiles({ length = 'short', ignore = [], smoke = false } = {}) {
  const [isLong, isIgnored, isSmoke] = [matches(LONG), matches(ignore), matches(smoke ? SMOKE : ['**'])];
  return readdirSync('test', { recursive: true })
    .filter((path) => path.endsWith('.test.mjs') && !path.includes('node_modules/'))
    .map((path) => `test/${path}`)
    .filter((path) => isSmoke(path) && !isIgnored(path) && (length === 'all' || isLong(path) === (length === 'long')))
    .toSorted();
}
