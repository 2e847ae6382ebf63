// The environment of a process that loads the addon built under ASan and UBSan.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Builds what is not built. */
export function sanitized() {
  const script = fileURLToPath(new URL('../../../scripts/sanitize.mjs', import.meta.url));
  execFileSync(process.execPath, [script, '--build'], { stdio: ['ignore', 'ignore', 'inherit'] });
  return JSON.parse(execFileSync(process.execPath, [script, '--env'], { encoding: 'utf8' }));
}
