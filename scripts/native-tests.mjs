// Runs the C++ tests plainly, under ASan and UBSan, and those on threads under TSan.
// Each run ends in a line `N passed, N failed`.
// Usage: native-tests.mjs [--build] [plain] [asan] [tsan]: --build runs none.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cmakeBuild } from './cmake-build.mjs';

const runs = {
  plain: { build: 'cmake', sanitize: 'OFF' },
  asan: { build: 'asan', sanitize: 'ON' },
  tsan: { build: 'tsan', sanitize: 'thread', only: 'threads' },
};

/** Signals of bad accesses are for the guard. */
const SIGNALS = 'handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { build: { type: 'boolean' } } });
const chosen = positionals.length > 0 ? positionals : Object.keys(runs);
let failed = false;
for (const name of chosen) {
  const { build, sanitize, only } = runs[name];
  const directory = cmakeBuild(build, { target: 'native_tests', sanitize });
  if (values.build) continue;
  console.log(`native tests, ${name}`);
  const { status, signal, error } = spawnSync(join(directory, 'native_tests'), only === undefined ? [] : [only], {
    stdio: 'inherit',
    env: { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1', ASAN_OPTIONS: SIGNALS, TSAN_OPTIONS: SIGNALS },
  });
  if (error !== undefined) throw error;
  if (signal !== null) console.log(`ended by ${signal}\n0 passed, 1 failed`);
  failed ||= status !== 0;
}
process.exitCode = failed ? 1 : 0;
