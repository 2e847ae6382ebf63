// Runs what depends on buffers in an engine that lets none lie over memory that is not its own:
// no-external-buffers.mjs [MAJOR ...] [-- FILE ...]. Without a version: the short tests on this Node, and what
// an engine can do differently on 24; with versions the long tests on these, too. Files that are given are run
// instead of the folders below.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { testFiles } from './test-files.mjs';
import { withoutExternalBuffers } from '../test/support/kernel/no-external-buffers.mjs';

const FOLDERS = /^test\/(?:mem|file|guard|shm)\//;

/** Mostly the same on every engine: algorithms over simulated memory, examples, and what many processes that die do. */
const IGNORED = [
  'test/shm/**/*model.test.mjs',
  'test/shm/**/{documents,missing-calls,channel-death,lock-death,mutex}.test.mjs',
  'test/guard/matrix.test.mjs',
  'test/guard/soak.test.mjs', // half of its acts are on buffers that must stay, which this engine refuses
];

const given = process.argv.slice(2);
const separator = given.includes('--') ? given.indexOf('--') : given.length;
const versions = given.slice(0, separator);
const asked = given.slice(separator + 1);

const { timeout } = JSON.parse(readFileSync('.mocharc.json', 'utf8'));
const isWhole = versions.length > 0;
const files = (smoke) => (asked.length > 0 ? asked : testFiles({ length: isWhole ? 'all' : 'short', ignore: IGNORED, smoke }).filter((path) => FOLDERS.test(path)));

const folder = join(process.cwd(), '.cache', 'no-external-buffers');
mkdirSync(folder, { recursive: true });
const env = withoutExternalBuffers(folder);

const major = process.versions.node.split('.')[0];
let failed = false;
for (const version of isWhole ? versions : [major, '24']) {
  const command = version === major ? ['scripts/test.mjs'] : ['scripts/node-versions.mjs', version, '--'];
  const smoke = !isWhole && version !== major;
  const { status } = spawnSync(process.execPath, [...command, ...files(smoke), '--', '--timeout', String(2 * timeout)], { stdio: 'inherit', env });
  if (status !== 0) failed = true;
}
process.exitCode = failed ? 1 : 0;
