// Which tests run in the machine: those written for it (*.vm.mjs), and of the project's own those
// whose outcome depends on the kernel, the file system or the page size.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const TESTS = [
  'test/mem/residency.test.mjs',
  'test/mem/features.test.mjs',
  'test/mem/advice.test.mjs',
  'test/mem/prefetch.test.mjs',
  'test/mem/mapping.test.mjs',
  'test/guard/refresh.test.mjs',
  'test/sys/madvise.test.mjs',
  'test/sys/mremap.test.mjs',
  'test/file/map-file.test.mjs',
  'test/file/file-mapping.test.mjs',
  'test/file/cache-dump.test.mjs',
  'test/shm/memory/secret.test.mjs',
  'test/http/canary.test.mjs',
];

/** Left out of the short form: they start many processes, or the machine's own tests go as far. */
const AT_LENGTH = [
  'test/mem/huge-pages.test.mjs',
  'test/mem/pages.test.mjs',
  'test/mem/numa.test.mjs',
  'test/mem/maps/maps.test.mjs',
  'test/guard/huge-faults.test.mjs',
  'test/sys/file.test.mjs',
  'test/file/persist.test.mjs',
];

/** Emulated, JavaScript is 7 to 11 times slower than on the machine itself. Milliseconds. */
const TIMEOUT = 6 * 60_000;

/** Paths below the project: the machine's own tests first, as they find it as it was booted. */
function testFiles(project, quick) {
  const own = readdirSync(join(project, 'test/vm')).filter((name) => name.endsWith('.vm.mjs')).toSorted();
  return [...own.map((name) => `test/vm/${name}`), ...TESTS, ...(quick ? [] : AT_LENGTH)];
}

const quote = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/**
 * The shell script that runs the tests. Arguments for mocha that name test files replace the list.
 * .mocharc.json is not read: what it says is for machines that are not emulated.
 */
export function testScript(project, mochaArgs, quick) {
  const isFile = (arg) => arg.endsWith('.mjs');
  const files = mochaArgs.some(isFile) ? [] : testFiles(project, quick);
  const args = [
    '--no-config', '--require', 'test/support/hooks.mjs', '--reporter', 'spec', '--timeout', String(TIMEOUT), '--forbid-only',
    ...mochaArgs, ...files,
  ];
  return `exec node /node_modules/mocha/bin/mocha.js ${args.map(quote).join(' ')}\n`;
}
