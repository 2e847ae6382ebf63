// Runs what depends on buffers in an engine that lets none lie over memory that is not its own:
// no-external-buffers.mjs [MAJOR ...] [-- MOCHA ARGS]. Without a version: this Node, 22 and 24.
// Files given as MOCHA ARGS are run instead of the folders below.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutExternalBuffers } from '../test/support/kernel/no-external-buffers.mjs';

const TESTS = ['mem', 'file', 'guard', 'shm'].map((folder) => `test/${folder}/**/*.test.mjs`);

/** The same on every engine: algorithms over simulated memory, examples, and what many processes that die do. */
const IGNORED = [
  'test/shm/**/*model.test.mjs',
  'test/shm/**/{documents,missing-calls,channel-death,lock-death,mutex}.test.mjs',
  'test/guard/matrix.test.mjs',
];

const given = process.argv.slice(2);
const separator = given.includes('--') ? given.indexOf('--') : given.length;
const versions = given.slice(0, separator);
const asked = given.slice(separator + 1);

const { require: hooks, timeout, reporter } = JSON.parse(readFileSync('.mocharc.json', 'utf8'));
// Not by mocha itself, which would add the configured files to those given.
const mochaArgs = ['--no-config', ...hooks.flatMap((file) => ['--require', file]), '--timeout', String(2 * timeout), '--reporter', reporter];
mochaArgs.push(...(asked.some((arg) => arg.endsWith('.mjs')) ? [] : [...IGNORED.flatMap((path) => ['--ignore', path]), ...TESTS]), ...asked);

const folder = join(process.cwd(), '.cache', 'no-external-buffers');
mkdirSync(folder, { recursive: true });
const env = withoutExternalBuffers(folder);

const major = process.versions.node.split('.')[0];
let failed = false;
for (const version of versions.length > 0 ? versions : [major, '22', '24']) {
  const command = version === major ? ['node_modules/mocha/bin/mocha.js'] : ['scripts/node-versions.mjs', version, '--'];
  const { status } = spawnSync(process.execPath, command.concat(mochaArgs), { stdio: 'inherit', env });
  if (status !== 0) failed = true;
}
process.exitCode = failed ? 1 : 0;
