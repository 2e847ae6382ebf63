// The emulation of an engine that lets no buffer lie over memory that is not its own.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../../fixtures/kernel/no-external-buffers.c', import.meta.url));

/** Compiles it into a folder. Returns the environment in which a Node, and those that it starts, are such engines. */
export function withoutExternalBuffers(folder) {
  const library = join(folder, 'no-external-buffers.so'); // support/runtime.mjs knows it by this name
  execFileSync('cc', ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', library, SOURCE], { stdio: 'inherit' });
  return { ...process.env, LD_AUDIT: library };
}
