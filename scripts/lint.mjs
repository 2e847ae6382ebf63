// Lints everything: TypeScript and JavaScript with oxlint and tsc, C++ with clang-format and
// clang-tidy. Prints one line a tool; exits 1 if one of them found something.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pc from 'picocolors';

function sources(folder, pattern) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true }).filter((file) => pattern.test(file)).map((file) => join(folder, file)).toSorted();
}

const native = [...sources('src-native', /\.(cc|h)$/), ...sources('test/native', /\.(cc|h)$/), ...sources('bench/native', /\.(cc?|h)$/)];

const tools = [
  ['oxlint', 'npx', ['--no-install', 'oxlint', '--type-aware', '--deny-warnings']],
  ['tsc', 'npx', ['--no-install', 'tsc', '-p', 'tsconfig.json', '--noEmit']],
  ['clang-format', 'clang-format', ['--dry-run', '--Werror', ...native]],
];

let failed = 0;
for (const [name, command, args] of tools) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) {
    console.log(`${pc.green('ok')}    ${name}`);
  } else {
    failed += 1;
    console.log(`${pc.red('FAIL')}  ${name}\n${error?.message ?? stdout + stderr}`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
