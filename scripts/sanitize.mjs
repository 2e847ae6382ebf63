// Runs the mocha suite, or the test files given, with the addon built under ASan and UBSan.
// Usage: sanitize.mjs [FILE ...] [-- MOCHA OPTION ...], or sanitize.mjs --build, which runs none;
// with --env it prints, as JSON, the environment in which a program loads that addon.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { cmakeBuild, root } from './cmake-build.mjs';

const directory = cmakeBuild('asan', { target: 'memmap', sanitize: 'ON' });
if (process.argv[2] === '--build') process.exit();
const compiler = process.env['CXX'] ?? 'g++';
const library = execFileSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
const env = {
  MEMMAP_ADDON: join(directory, 'Release', 'memmap.node'),
  LD_PRELOAD: realpathSync(library),
  // Node frees nothing at exit, and is not linked with ASan. Signals of bad accesses are
  // for the program: some tests expect them.
  ASAN_OPTIONS: [
    'detect_leaks=0',
    'verify_asan_link_order=0',
    'handle_segv=0',
    'handle_sigbus=0',
    'allow_user_segv_handler=1',
    // Some tests watch how much memory is resident.
    'quarantine_size_mb=1',
  ].join(':'),
  UBSAN_OPTIONS: 'print_stacktrace=1',
};
if (process.argv[2] === '--env') {
  console.log(JSON.stringify(env));
  process.exit();
}
const { timeout } = JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8'));

// The packed package has an addon of its own; models run no native code; the rest starts
// hundreds of processes for the same few lines, which the native tests sanitize, too.
const IGNORED = [
  'test/package/**',
  'test/shm/**/*model.test.mjs',
  'test/boundary/{arguments,check-layers,errors,loading,refusals,runners,syscalls,types,undefined-options}.test.mjs', // TypeScript; the fuzz has wrong values
  'test/guard/matrix.test.mjs',
  'test/guard/{crash,handler-stack}.test.mjs', // a sanitizer takes stack, and handles crashes
  'test/guard/soak.test.mjs',
  'test/lifecycle/exhaustion.test.mjs',
  'test/shm/**/{channel-death,distances,documents,lock-death,missing-calls,mutex}.test.mjs',
  'test/store/!(checksum|store).test.mjs', // TypeScript over one mapping
  'test/cli/**', // processes of their own
];
const all = ['--all', ...IGNORED.flatMap((path) => ['--ignore', path])];
const given = process.argv.slice(2);
const separator = given.includes('--') ? given.indexOf('--') : given.length;
const files = given.slice(0, separator);
const mochaOptions = ['--timeout', String(4 * timeout), ...given.slice(separator + 1)]; // processes start slowly
const { status, signal, error } = spawnSync(process.execPath, ['scripts/test.mjs', ...(files.length > 0 ? files : all), '--', ...mochaOptions], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, ...env },
});
if (error !== undefined) throw error;
if (signal !== null) console.error(`the tests were ended by ${signal}`);
process.exitCode = status ?? 1;
