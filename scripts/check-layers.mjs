// Fails when a file reaches into a layer it must not know, does what one place only may do,
// or has grown too long. Usage: check-layers.mjs [ROOT]
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(process.argv[2] ?? '.');

/** A layer may use itself and the layers listed for it. */
const LAYERS = {
  'src-native': { sys: [], core: ['sys'], napi: ['core', 'sys'] },
  lib: {
    internal: [],
    sys: ['internal'],
    mem: ['internal'],
    file: ['mem', 'internal'],
    shm: ['mem', 'internal'],
    store: ['file', 'shm', 'mem', 'internal'],
    cli: [],
  },
};

/** What only the named files may do, and where the rule holds. */
const RESERVED = [
  { where: /^src-native\/(?!napi\/)/, what: /#include <(napi|node_api|node|uv|v8)\b/, only: ['src-native/addon.cc'], why: 'only napi/ knows Node' },
  { where: /^src-native\/(?!sys\/)/, what: /\b(?:sys::munmap|::munmap)\(/, only: ['src-native/core/address_range.cc', 'src-native/core/futex_ring.cc', 'src-native/core/replacement.cc', 'src-native/core/scratch_pages.cc', 'src-native/core/spare_mappings.cc', 'src-native/core/stash.cc'], why: 'only core/address_range unmaps, and the guard, the ring and probes what they alone know of' },
  { where: /^src-native\/(core|napi)\//, what: /(?<![\w:])::?(?:mmap|munmap|mremap|mprotect|madvise|msync|open|fstat|ioctl)\(/, only: [], why: 'system calls are made in sys/' },
  { where: /^src-native\/napi\//, what: /\bNapi::\w*Array|napi_get_(?:typedarray|arraybuffer|buffer)_info|napi_create_(?:arraybuffer|typedarray|buffer)\w*\(/, only: ['src-native/napi/convert.h', 'src-native/napi/fault_listener.cc'], why: 'only convert.h makes arrays and looks into them: Node-API fails in a worker that is being ended' },
  { where: /^src-native\//, what: /\bpthread_create\(|\bstd::j?thread\b/, only: ['src-native/core/thread.cc'], why: 'only core/thread starts threads: with all signals blocked' },
  { where: /^lib\//, what: /createRequire|node-gyp-build/, only: ['lib/internal/binding.ts'], why: 'only binding.ts loads the addon' },
  { where: /^lib\//, what: /\bconsole\.|process\.(stdout|stderr)/, only: ['lib/cli/'], why: 'the library prints nothing' },
  { where: /^lib\//, what: /export default/, only: [], why: 'names, never defaults' },
  { where: /^(test|bench|examples)\//, what: /['"`][./]+\/(?:dist|lib)\//, only: ['test/boundary/', 'test/support/'], why: 'tests and examples import the package by its name' },
];

const MAX_LINES = 320;
const CODE = /\.(ts|mjs|js|cc|h)$/;

const problems = [];

function files(folder) {
  const top = join(root, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && CODE.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !file.includes('node_modules/'));
}

/** Without comments: what they say is no code. */
function code(text) {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function checkIndex(file, text) {
  const rest = text.replace(/export (?:type )?(?:\*|\{[^}]*\}) from '[^']+';/g, '');
  if (rest.trim() !== '') problems.push(`${file}: an index re-exports and no more`);
}

/** The layer of a file below `folder`; undefined for files that stand above all layers. */
function layerOf(folder, file) {
  const parts = relative(folder, file).split('/');
  return parts.length > 1 ? parts[0] : undefined;
}

function* dependencies(folder, file, text) {
  if (folder === 'src-native') {
    for (const [, target] of text.matchAll(/#include "([^"]+)"/g)) yield join(folder, target);
  } else {
    for (const [, target] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) yield join(dirname(file), target);
  }
}

function checkLayers(folder, file, text) {
  const layers = LAYERS[folder];
  const from = layerOf(folder, file);
  if (from === undefined) return;
  if (!(from in layers)) {
    problems.push(`${file}: unknown layer '${from}'`);
    return;
  }
  for (const target of dependencies(folder, file, text)) {
    const to = layerOf(folder, target);
    // The command line is a user of the package: it imports entry points only.
    if (from === 'cli' && to !== 'cli') {
      if (!target.endsWith('/index.js')) problems.push(`${file}: cli/ may use public entry points only (${target})`);
      continue;
    }
    if (target.endsWith('/index.js')) problems.push(`${file}: only users import an index`);
    if (to === undefined || to === from || layers[from].includes(to)) continue;
    problems.push(`${file}: ${from}/ may not use ${to}/ (${target})`);
  }
}

for (const folder of ['src-native', 'lib', 'test', 'bench', 'examples', 'scripts']) {
  for (const file of files(folder)) {
    const text = readFileSync(join(root, file), 'utf8');
    const statements = code(text);
    if (folder in LAYERS) checkLayers(folder, file, statements);
    if (folder === 'lib' && file.endsWith('/index.ts')) checkIndex(file, statements);
    for (const { where, what, only, why } of RESERVED) {
      if (where.test(file) && what.test(statements) && !only.some((allowed) => file.startsWith(allowed))) {
        problems.push(`${file}: ${why}`);
      }
    }
    const lines = text.split('\n').length - 1;
    if (lines > MAX_LINES) problems.push(`${file}: ${lines} lines; over ${MAX_LINES} a concept is missing`);
  }
}

for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
