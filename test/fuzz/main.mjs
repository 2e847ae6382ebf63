// npm run fuzz [-- --calls 200000] [--seed N] [--jobs 2] [--match REGEXP] [--except REGEXP] [--any-types] [--asan] [--each]
// npm run fuzz -- --seed N --scene K
//
// Calls every function of the addon and of the package with hostile values, in scenes of a few calls
// on objects of their own: the same seed makes the same scenes. Ends with 0 if no process crashed
// or hung, no error came without a code, and nothing was left: no descriptor, mapping or memory.
// --each looks for descriptors after every scene, to find the one that leaves some.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sanitized } from '../support/process/sanitized.mjs';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '200000' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    jobs: { type: 'string', default: '2' },
    scene: { type: 'string' },
    each: { type: 'boolean', default: false },
    match: { type: 'string' },
    plant: { type: 'string' },
    except: { type: 'string' },
    'any-types': { type: 'boolean', default: false },
    asan: { type: 'boolean', default: false },
  },
});
const [calls, seed, jobs] = ['calls', 'seed', 'jobs'].map((name) => {
  const number = Number(values[name]);
  if (!Number.isSafeInteger(number) || number < 1) throw new TypeError(`--${name} is a number from 1 on`);
  return number;
});

/** Calls in the life of a process. The sanitizer's allocator keeps more with each. */
const BATCH = values.asan ? 20_000 : 100_000;
/** Milliseconds in which a process must have come to its next call. */
const HANG = 10_000;
/** In 512 bytes: no file grows beyond 64 MiB. */
const FILE_BLOCKS = 2 ** 17;

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : '/tmp', 'memmap-fuzz-'));
const child = fileURLToPath(new URL('batch.mjs', import.meta.url));
// What malloc(3) keeps of a large block that it gave once would look like a leak.
const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: '262144', ...(values.asan ? sanitized() : {}) };
const chosen = [
  ...(values.match === undefined ? [] : ['--match', `'${values.match}'`]), ...(values.except === undefined ? [] : ['--except', `'${values.except}'`]),
  ...(values['any-types'] ? ['--any-types'] : []), ...(values.asan ? ['--asan'] : []),
];

function recorded(record) {
  try {
    return readFileSync(record, 'latin1').trim();
  } catch {
    return '';
  }
}

/** Runs one process to its end: what it printed, and what became of it. */
function run(batch) {
  const record = join(folder, `${batch.seed}.record`);
  const settings = {
    anyType: values['any-types'], each: values.each, match: values.match, except: values.except, plant: values.plant, ...batch, record, folder: join(folder, String(batch.seed)),
  };
  // Space for young objects that grows at some moment, and stays, would look like a leak.
  const program = [process.execPath, '--expose-gc', '--max-semi-space-size=2', child, JSON.stringify(settings)];
  const running = spawn('sh', ['-c', `ulimit -f ${FILE_BLOCKS}; exec "$@"`, 'sh', ...program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  running.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  running.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  let hung = false;
  let last = '';
  let since = Date.now();
  const watchdog = setInterval(() => {
    const now = recorded(record);
    if (now !== last) [last, since] = [now, Date.now()];
    else if (Date.now() - since > HANG) {
      hung = true;
      running.kill('SIGKILL');
    }
  }, 500);
  return new Promise((resolve, reject) => {
    running.on('error', reject).on('close', (code, signal) => {
      clearInterval(watchdog);
      const [, scene, , name] = /^(\d+) (\d+) (.*)$/.exec(recorded(record)) ?? [];
      const problem = hung ? 'hangs' : signal !== null ? `ended by ${signal}` : code !== 0 ? `ended with ${code}` : undefined;
      resolve({ stdout, stderr, problem, scene: scene === undefined ? undefined : Number(scene), name });
    });
  });
}

const tail = (text, lines = 30) => text.trimEnd().split('\n').slice(-lines).join('\n');
const replay = (batch, scene) => `npm run fuzz -- --seed ${batch.seed} --calls ${batch.calls} ${[...chosen, ...(scene === undefined ? [] : ['--scene', scene])].join(' ')}`.trim();

/** Whether the scene alone ends a process, and the calls it makes. */
async function explain(batch, { stdout, stderr, problem, scene, name }) {
  console.error(`seed ${batch.seed}: ${problem} in scene ${scene} at ${name}\n${tail(stderr)}\n${tail(stdout, 3)}`);
  if (scene === undefined || name.startsWith('look')) {
    console.error(`replay: ${replay(batch)}`);
    return;
  }
  const alone = await run({ ...batch, scene });
  if (alone.problem === undefined) console.error(`the scene alone is sound; replay: ${replay(batch)}`);
  else console.error(`alone, it ${alone.problem}:\n${tail(alone.stderr)}\nreplay: ${replay(batch, scene)}`);
}

const totals = new Map();
let total = 0;
let failed = false;

function add({ calls: made, counts }) {
  total += made;
  for (const [name, returned, refused] of counts) {
    const sum = totals.get(name) ?? { returned: 0, refused: 0 };
    totals.set(name, { returned: sum.returned + returned, refused: sum.refused + refused });
  }
}

async function work(batches) {
  for (let batch; !failed && (batch = batches.shift()) !== undefined; ) {
    const result = await run(batch);
    if (result.problem !== undefined) {
      failed = true;
      await explain(batch, result);
      return;
    }
    if (values.each) console.error(result.stderr);
    add(JSON.parse(result.stdout.trimEnd().split('\n').at(-1)));
    if (process.stdout.isTTY) process.stdout.write(`\r${total} calls`);
  }
}

console.log(`seed ${seed}, Node ${process.versions.node}`);
try {
  const start = Date.now();
  if (values.scene !== undefined) {
    const result = await run({ seed, calls, scene: Number(values.scene) });
    console.log(tail(result.stderr, 100));
    console.log(result.problem ?? 'sound');
    failed = result.problem !== undefined;
  } else {
    const batches = [];
    for (let left = calls, i = 0; left > 0; left -= BATCH, i++) batches.push({ seed: seed + i, calls: Math.min(left, BATCH) });
    await Promise.all(Array.from({ length: jobs }, () => work(batches)));
    const never = [...totals].filter(([, { returned }]) => returned === 0).map(([name]) => name);
    if (!failed) {
      const seconds = (Date.now() - start) / 1000;
      console.log(`${totals.size} functions; without a result: ${never.join(', ') || 'none'}`);
      console.log(`${total} calls in ${Math.round(seconds)} s, ${Math.round(total / seconds / jobs)} a second and process`);
      console.log('sound');
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
