// Runs the tests on other Node versions: node-versions.mjs [MAJOR ...] [--all] [-- ARGUMENTS OF test.mjs]
// Versions between the oldest and the newest run what an engine can do differently; the newest runs the
// long tests of mappings, too. --all: each of them as the newest.
// Each is an npm package that holds the binary; it is unpacked into .cache, outside the
// project's dependencies.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const VERSIONS = { 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' };

const { positionals, tokens, values } = parseArgs({ allowPositionals: true, tokens: true, options: { all: { type: 'boolean', default: false } } });
const separator = tokens.find(({ kind }) => kind === 'option-terminator')?.index;
const own = separator === undefined ? undefined : process.argv.slice(2 + separator + 1);
const wanted = positionals.slice(0, positionals.length - (own?.length ?? 0));

/** Tested once, on the machine's own Node: what another version of it cannot change. */
const ONCE = [
  'test/package/**', // the package as installed
  'test/shm/**/*model.test.mjs', // algorithms over simulated memory
  'test/shm/**/{mutex,channel-death,lock-death}.test.mjs', // hundreds of processes killed
  'test/boundary/{arguments,check-layers,errors,refusals,undefined-options}.test.mjs', // each wrong value of each argument
  'test/shm/wait/missing-calls.test.mjs', // the same tests where the kernel lacks calls
  'test/shm/{distances,documents}.test.mjs', // examples, and how far it is
  'test/store/{examples,failing-disk,fuzz,kill,large,power-loss,writer-stops}.test.mjs', // files that another version cannot write differently
  'test/sys/mmap-flags.test.mjs', // the kernel's constants
  'test/mem/**/{maps,map-entry,topology,huge-page-pools}.test.mjs', // what /proc and /sys say
  'test/boundary/{syscalls,types}.test.mjs', // documents and declarations
  'test/cli/**/!(evict|lock|presence-process|touch).test.mjs', // what is found, printed and drawn
];

/** There are two ways to a buffer: that of the oldest, which tests everything, and that of the newest. */
const NEWEST = Math.max(...Object.keys(VERSIONS).map(Number));

/** The path of the binary of a version, installed if it is not there. */
function install(version) {
  const folder = join('.cache', 'node', version);
  const binary = join(process.cwd(), folder, 'package', 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, `node-linux-${process.arch}@${version}`]);
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  execFileSync('tar', ['xzf', archive, 'package/bin/node'], { cwd: folder });
  return binary;
}

let failed = false;
for (const major of wanted.length > 0 ? wanted : Object.keys(VERSIONS)) {
  const version = VERSIONS[major];
  if (version === undefined) throw new Error(`no version is pinned for Node ${major}: ${Object.keys(VERSIONS).join(', ')} are`);
  const binary = install(version);
  console.log(`Node ${version}`);
  const isWhole = values.all || Number(major) === NEWEST;
  const args = own ?? (isWhole ? ['--all', ...ONCE.flatMap((path) => ['--ignore', path])] : ['--smoke']);
  if (spawnSync(binary, ['scripts/test.mjs', ...args], { stdio: 'inherit' }).status !== 0) failed = true;
}
process.exitCode = failed ? 1 : 0;
