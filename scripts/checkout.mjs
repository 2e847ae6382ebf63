// The project as a clone has it: without what is built, installed or kept in it.
import { cpSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What .gitignore names, and the history: a folder of the root, or of any level; or how a name ends. */
function isLeftOut(path, patterns) {
  return ['.git', ...patterns].some((pattern) => {
    const name = pattern.replace(/\/$/, '');
    if (name.startsWith('*')) return path.endsWith(name.slice(1));
    return path === name || (!name.includes('/') && basename(path) === name);
  });
}

/** Copies the working tree. Needs neither git nor node_modules. */
export function copyCheckout(to) {
  const patterns = readFileSync(join(root, '.gitignore'), 'utf8').split('\n').filter(Boolean);
  cpSync(root, to, { recursive: true, filter: (source) => !isLeftOut(relative(root, source), patterns) });
}
