// Builds a target of src-native/CMakeLists.txt with cmake-js, in build/<name>.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');

/** Returns the directory of the build. Ends the process if it fails. */
export function cmakeBuild(name, { target, sanitize }) {
  const directory = cmakeConfigure(name, { sanitize });
  cmake(['build', ...common(directory), '-T', target, '-p', String(availableParallelism())]);
  return directory;
}

/** As cmakeBuild, but leaves it at compile_commands.json. */
export function cmakeConfigure(name, { sanitize = 'OFF' } = {}) {
  const directory = join(root, 'build', name);
  // Configured each time: a cache of other options would be used as it is.
  cmake(['configure', ...common(directory), `--CDMEMMAP_SANITIZE=${sanitize}`]);
  return directory;
}

function common(directory) {
  return ['-d', join(root, 'src-native'), '-O', directory, '-l', 'error'];
}

function cmake(args) {
  const { status, error, stdout, stderr } = spawnSync(process.execPath, [cmakeJs, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (error !== undefined) throw error;
  if (status === 0) return;
  process.stderr.write(stdout + stderr);
  process.exit(status ?? 1);
}
