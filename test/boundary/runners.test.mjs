// A part of the suite under jest with ES modules, and in vitest's pools: vm contexts, threads, processes. lib/internal/realms/kinds.ts,
// lib/internal/realms/dispose.ts, lib/internal/copies.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { needsPackage } from '../support/process/packages.mjs';
import { runProgram } from '../support/process/run.mjs';
import { temporaryFiles } from '../support/temp.mjs';

/** They assert neither classes of what Node and the addon make, which differ there, nor how many descriptors a whole process has. */
const FILES = [
  // Twice: jest gives each file a copy of the package, in one thread.
  'test/boundary/runners/first.mjs',
  'test/boundary/runners/second.mjs',
  'test/boundary/inspect.test.mjs',
  'test/file/map-file.test.mjs',
  'test/guard/strays.test.mjs',
  'test/mem/mapping.test.mjs',
  'test/shm/lock/locks.test.mjs',
  'test/shm/socket/send-fds.test.mjs',
  'test/sys/munmap.test.mjs',
];

const configuration = (name) => fileURLToPath(new URL(`runners/${name}.config.mjs`, import.meta.url));

const JEST = { name: 'jest', program: 'jest/bin/jest.js', args: (report) => ['--config', configuration('jest'), '--runInBand', '--json', '--outputFile', report] };
const VITEST = { name: 'vitest', program: 'vitest/vitest.mjs', args: (report) => ['run', '--config', configuration('vitest'), '--reporter', 'json', '--outputFile', report] };

const RUNNERS = {
  'jest with ES modules': { ...JEST, nodeArgs: ['--experimental-vm-modules'] },
  ...Object.fromEntries(['forks', 'threads', 'vmForks', 'vmThreads'].map((pool) => [`vitest's pool of ${pool}`, { ...VITEST, pool }])),
};

describe('a part of the suite', function () {
  this.timeout(280_000);
  const file = temporaryFiles();
  let passed;

  for (const [title, { name, program, args, nodeArgs = [], pool }] of Object.entries(RUNNERS)) {
    it(`passes under ${title}`, async function () {
      needsPackage(this, name);
      const report = file('report.json');
      const { MEMMAP_REPORT: _, ...env } = process.env;
      const path = fileURLToPath(new URL(`../packages/node_modules/${program}`, import.meta.url));
      const { code, signal, stderr } = await runProgram(process.execPath, [...nodeArgs, path, ...args(report)], {
        env: { ...env, FILES: JSON.stringify(FILES), POOL: pool ?? '' },
      });
      assert.equal(signal, null, stderr);
      const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
      const failures = testResults.flatMap(({ name: where, message, assertionResults }) => [
        ...(message && assertionResults.length === 0 ? [`${where}: ${message}`] : []),
        ...assertionResults.filter(({ status }) => status === 'failed').map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages.join('\n')}`),
      ]);
      assert.deepEqual(failures, []);
      assert.equal(code, 0, stderr);
      assert.equal(testResults.length, FILES.length);
      passed ??= numPassedTests;
      assert.equal(numPassedTests, passed, 'each runs as many tests as the others');
    });
  }
});
