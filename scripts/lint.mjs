// Lints everything: TypeScript and JavaScript with oxlint and tsc, C++ with clang-format and
// clang-tidy. Prints a line for each tool; exits 1 if one of them found something.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pc from 'picocolors';
import { cmakeConfigure } from './cmake-build.mjs';

function sources(folder, pattern) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((file) => pattern.test(file))
    .map((file) => join(folder, file))
    .toSorted();
}

const FOLDERS = ['src-native', 'test/native', 'bench/native'];
const native = FOLDERS.flatMap((folder) => sources(folder, /\.(c|cc|h)$/));
const analysed = sources('src-native', /\.cc$/);

/** What clang-tidy counts of the headers of others, which tells nothing. */
const UNSHOWN = /^\d+ warnings(?: and \d+ errors?)? generated\.\n/gm;

/** Every n-th file: neighbours take about as long as each other. */
function share(files, n) {
  return Array.from({ length: n }, (_, i) => files.filter((_file, j) => j % n === i));
}

function run(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message)).on('close', (code) => resolve(code === 0 ? undefined : output.replaceAll(UNSHOWN, '')));
  });
}

const npx = (...args) => [run('npx', ['--no-install', ...args])];

const tools = {
  oxlint: () => npx('oxlint', '--type-aware', '--deny-warnings'),
  english: () => [run(process.execPath, ['scripts/check-english.mjs'])],
  tsc: () => ['.', 'lib/cli/picture/html/browser'].flatMap((project) => npx('tsc', '-p', project, '--noEmit')),
  'clang-format': () => [run('clang-format', ['--dry-run', '--Werror', ...native])],
  'clang-tidy': () => {
    const database = cmakeConfigure('cmake');
    return share(analysed, availableParallelism()).map((files) => run('clang-tidy', ['-p', database, '--quiet', ...files]));
  },
};

let failed = false;
for (const [name, start] of Object.entries(tools)) {
  const found = (await Promise.all(start())).filter((output) => output !== undefined);
  failed ||= found.length > 0;
  console.log(found.length === 0 ? `${pc.green('ok')}    ${name}` : `${pc.red('FAIL')}  ${name}\n${found.join('\n')}`);
}
process.exitCode = failed ? 1 : 0;
