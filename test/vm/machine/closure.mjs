// What node_modules must hold for some packages: read from package-lock.json.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Paths (node_modules/...) of the packages and of all that they depend on, sorted. */
export function closure(lockFile, names) {
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8'));
  const found = new Set();
  const add = (name, from, isOptional) => {
    const path = resolve(packages, name, from);
    if (path === undefined && isOptional) return;
    if (path === undefined) throw new Error(`${lockFile} has no ${name}`);
    if (found.has(path)) return;
    found.add(path);
    const { dependencies = {}, optionalDependencies = {} } = packages[path];
    for (const dependency of Object.keys(dependencies)) add(dependency, path, dependency in optionalDependencies);
  };
  for (const name of names) add(name, '', false);
  return [...found].toSorted();
}

/** The nearest node_modules that has it, as Node looks it up. */
function resolve(packages, name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = `${folder === '' || folder === '.' ? '' : `${folder}/`}node_modules/${name}`;
    if (path in packages) return path;
    if (folder === '' || folder === '.') return undefined;
  }
}
