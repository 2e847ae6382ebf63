// Fails when a file reaches into a room it must not know, does what one place only may do, has grown
// too long, or shares a name with another; when a room is too full; and when a test does not say what
// it tests, or nothing tests a room. Usage: check-layers.mjs [ROOT]
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, extname, join, relative, resolve } from 'node:path';

const root = resolve(process.argv[2] ?? '.');

/**
 * The rooms: folders of lib and src-native. A room may use the rooms that are listed for it, and
 * whatever those may use; no other. `lib/errors.ts`, directly in lib, is the ground of all of lib.
 */
const ROOMS = {
  'src-native/sys': [],
  'src-native/core': ['src-native/sys'],
  'src-native/core/bytes': ['src-native/core'],
  'src-native/core/replacement': ['src-native/core'],
  'src-native/core/extent': ['src-native/core/replacement'],
  'src-native/core/guard': ['src-native/core/extent'],
  'src-native/core/mapping': ['src-native/core/guard'],
  'src-native/core/residency': ['src-native/core/mapping'],
  'src-native/core/wait': ['src-native/core/mapping'],
  'src-native/core/kernel': ['src-native/core/wait'],
  'src-native/napi': ['src-native/core/bytes', 'src-native/core/residency', 'src-native/core/kernel'],
  'src-native/napi/memory': ['src-native/napi'],
  'src-native/napi/wait': ['src-native/napi'],
  'lib/internal/realms': [],
  'lib/internal': ['lib/internal/realms'],
  'lib/internal/descriptors': ['lib/internal'],
  'lib/sys': ['lib/internal'],
  'lib/mem/maps': ['lib/internal'],
  'lib/mem/text': ['lib/internal'],
  'lib/mem/lease': ['lib/internal'],
  'lib/mem/machine': ['lib/internal'],
  'lib/mem': ['lib/internal/descriptors', 'lib/mem/lease', 'lib/mem/machine', 'lib/mem/maps', 'lib/mem/text'],
  'lib/file/reading': ['lib/mem'],
  'lib/file': ['lib/file/reading'],
  'lib/file/many': ['lib/file'],
  'lib/http': ['lib/file'],
  'lib/shm/memory': ['lib/mem'],
  'lib/shm/wait': ['lib/internal/descriptors'],
  'lib/shm/socket': ['lib/shm/wait'],
  'lib/shm/lock/algorithm': ['lib/shm/wait'],
  'lib/shm/lock': ['lib/mem', 'lib/shm/lock/algorithm'],
  'lib/shm/channel': ['lib/shm/memory', 'lib/shm/socket', 'lib/shm/lock'],
  'lib/shm': ['lib/shm/channel'],
  'lib/store/file': ['lib/mem'],
  'lib/store/log': ['lib/store/file'],
  'lib/store/index': ['lib/store/log'],
  'lib/store': ['lib/store/index'],
  'lib/cli/common': [],
  'lib/cli/picture': ['lib/cli/common'],
  'lib/cli/picture/html': ['lib/cli/picture'],
  'lib/cli/picture/html/browser': ['lib/cli/picture/html'],
  'lib/cli/maps': ['lib/cli/common'],
  'lib/cli/presence': ['lib/cli/picture/html', 'lib/cli/maps'],
  'lib/cli/lock': ['lib/cli/common'],
  'lib/cli/dump': ['lib/cli/common'],
  'lib/cli/doctor/checks': ['lib/cli/common'],
  'lib/cli/doctor': ['lib/cli/doctor/checks'],
  'lib/cli/bench': ['lib/cli/common'],
  'lib/cli/shell': ['lib/cli/common'],
  'lib/cli': ['lib/cli/presence', 'lib/cli/lock', 'lib/cli/dump', 'lib/cli/doctor', 'lib/cli/bench', 'lib/cli/shell'],
};

const BROWSER = 'lib/cli/picture/html/browser/';

/** What only the named files may do, and where the rule holds. */
const RESERVED = [
  { where: /^src-native\/(?!napi\/)/, what: /#include <(napi|node_api|node|uv|v8)\b/, only: ['src-native/addon.cc'], why: 'only napi/ knows Node' },
  { where: /^src-native\/(?!sys\/)/, what: /\b(?:sys::munmap|::munmap)\(/, only: ['src-native/core/mapping/', 'src-native/core/wait/futex_ring.cc', 'src-native/core/replacement/'], why: 'only core/mapping unmaps, and the guard and the ring what they alone know of' },
  { where: /^src-native\/(core|napi)\//, what: /(?<![\w:])::?(?:mmap|munmap|mremap|mprotect|madvise|msync|open|fstat|ioctl)\(/, only: [], why: 'system calls are made in sys/' },
  { where: /^src-native\/napi\//, what: /\bNapi::\w*Array|napi_get_(?:typedarray|arraybuffer|buffer)_info|napi_create_(?:arraybuffer|typedarray|buffer)\w*\(/, only: ['src-native/napi/convert.h', 'src-native/napi/memory/fault_listener.cc'], why: 'only convert.h makes arrays and looks into them: Node-API fails in a worker that is being ended' },
  { where: /^src-native\//, what: /\bpthread_create\(|\bstd::j?thread\b/, only: ['src-native/core/thread.cc'], why: 'only core/thread starts threads: with all signals blocked' },
  { where: /^src-native\/napi\//, what: /\.To(?:Boolean|Number|String|Object)\(/, only: [], why: 'As<>() reads a value; a conversion ends the process where a worker is terminated' },
  { where: /^lib\//, what: /createRequire|node-gyp-build/, only: ['lib/internal/binding.ts'], why: 'only binding.ts loads the addon' },
  { where: /^lib\//, what: /\bconsole\.|process\.(stdout|stderr)/, only: ['lib/cli/'], why: 'the library prints nothing' },
  { where: /^lib\//, what: /export default/, only: [], why: 'names, never defaults' },
  { where: /^lib\//, what: /\bnew SystemError\(/, only: ['lib/internal/syscall.ts'], why: 'only internal/syscall.ts makes a SystemError' },
  { where: /^lib\/cli\//, what: /\b(?:document|window)\.\w|\b(?:getElementById|querySelector(?:All)?|createElement|getComputedStyle)\(|<script\b[^>]*>(?!\s*\$\{)/, only: [BROWSER], why: 'code of the browser is in files, where it is type-checked and linted' },
  { where: /^lib\/cli\//, what: /^\s*[.#:][\w-][^\n()={]*\{|<style\b[^>]*>(?!\s*\$\{)/m, only: [BROWSER, 'lib/cli/picture/svg.ts'], why: 'the style of the page is a file' },
  { where: /^lib\/errors\.ts$/, what: /from '\./, only: [], why: 'the ground imports nothing of the package' },
  { where: /^(test|bench|examples)\//, what: /['"`][./]+\/(?:dist|lib|\.unbundled)\//, only: ['test/boundary/', 'test/support/'], why: 'tests and examples import the package by its name' },
];

/** Lines of a file that are neither blank nor a comment. */
const MOST_LINES = 300;
/** Sources of a folder. */
const MOST_FILES = 20;

const CODE = /\.(ts|mjs|js|css|cc|h)$/;

const problems = [];

function files(folder) {
  const top = join(root, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && CODE.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !file.includes('node_modules/'))
    .toSorted();
}

/** Without comments: what they say is not code. */
function code(text) {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

const linesOf = (statements) => statements.split('\n').filter((line) => line.trim() !== '').length;

function checkIndex(file, text) {
  const rest = text.replace(/export (?:type )?(?:\*|\{[^}]*\}) from '[^']+';/g, '');
  if (rest.trim() !== '') problems.push(`${file}: an index re-exports and no more`);
}

/** The files that a file names, as paths of the tree. */
function* dependencies(file, text) {
  if (file.startsWith('src-native/')) {
    for (const [, target] of text.matchAll(/#include "([^"]+)"/g)) yield join('src-native', target);
  } else {
    for (const [, target] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) yield join(dirname(file), target).replace(/\.js$/, '.ts');
  }
}

function mayUse(from, to) {
  return from === to || ROOMS[from].some((room) => mayUse(room, to));
}

/** Above all rooms stand lib/index.ts and src-native/addon.cc. */
const TOPS = new Set(['lib', 'src-native']);

function checkRooms(file, targets) {
  const from = dirname(file);
  if (TOPS.has(from)) return;
  if (!(from in ROOMS)) {
    problems.push(`${file}: unknown room '${from}'`);
    return;
  }
  for (const target of targets) {
    const to = dirname(target);
    const isEntry = target.endsWith('/index.ts');
    // The command line is a user of the package: it imports entry points only.
    if (from.startsWith('lib/cli') && !to.startsWith('lib/cli')) {
      if (!isEntry) problems.push(`${file}: lib/cli may use public entry points only (${target})`);
      continue;
    }
    if (isEntry) problems.push(`${file}: only users import an index`);
    if (TOPS.has(to) || mayUse(from, to)) continue;
    problems.push(`${file}: ${from} may not use ${to} (${target})`);
  }
}

/** Each file is looked at once, whatever leads to it. */
function checkCircles(graph) {
  const [done, path] = [new Set(), []];
  function visit(file) {
    if (path.includes(file)) {
      problems.push(`${file}: a circle of imports: ${[...path.slice(path.indexOf(file)), file].join(' > ')}`);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  }
  for (const file of graph.keys()) visit(file);
}

function checkFull(folder, all) {
  const counts = new Map();
  for (const file of all) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  for (const [room, count] of counts) {
    if (count > MOST_FILES) problems.push(`${room}: ${count} sources; over ${MOST_FILES} a room is missing`);
  }
}

const NAME = /^export (?:declare )?(?:abstract )?(?:async )?(?:class|interface|function\*?) (\w+)|^(?:abstract )?(?:class|interface) (\w+)/gm;

/** One name, one meaning: no class, interface or exported function is declared in two files of lib. */
function checkNames(declared) {
  for (const [name, where] of declared) {
    if (where.length > 1) problems.push(`${where[0]}: the name '${name}' is declared in ${where.slice(1).join(', ')}, too`);
  }
}

const TEST = /^test\/.*(?:\.(?:test|vm)\.mjs|_test\.cc)$/;
const PATH = /\b(?:lib|src-native|scripts|examples|test|docs)(?:\/(?:[\w.-]|\{[\w.,-]+\})+)+/g;
const IN_BRACES = /\{([^}]*)\}/;

/** `a/{b,c}.ts` is a/b.ts and a/c.ts. */
function expanded(path) {
  const braces = IN_BRACES.exec(path);
  return braces === null ? [path] : braces[1].split(',').flatMap((part) => expanded(path.replace(IN_BRACES, part)));
}

/** The paths that a test names: in C++ the headers that it includes, else in the comment at its top. */
function namedBy(file, text) {
  if (file.endsWith('.cc')) {
    return Array.from(text.matchAll(/#include "([^"]+)"/g), ([, target]) => join('src-native', target)).filter((path) => existsSync(join(root, path)));
  }
  const [comment] = /^(?:\/\/.*\n)*/.exec(text);
  return comment.split('\n').length > 3 ? [] : Array.from(comment.matchAll(PATH), ([path]) => path.replace(/\.$/, '')).flatMap(expanded);
}

/** Each test names the sources that it tests, and each room of lib and src-native is named by a test. */
function checkTests(tests, sources) {
  const tested = new Set();
  for (const [file, text] of tests) {
    const named = namedBy(file, text);
    if (named.every((path) => path.startsWith('docs/'))) problems.push(`${file}: a test begins with a comment, of at most two lines, that names the sources it tests`);
    for (const path of named) {
      if (!existsSync(join(root, path))) problems.push(`${file}: it names ${path}, which does not exist`);
      tested.add(extname(path) === '' ? path : dirname(path));
    }
  }
  const rooms = new Set(sources.filter((file) => !file.endsWith('/index.ts')).map(dirname));
  for (const room of rooms) {
    if (room in ROOMS && !tested.has(room)) problems.push(`${room}: no test names it`);
  }
}

const graph = new Map();
const declared = new Map();
const tests = new Map();
for (const folder of ['src-native', 'lib', 'test', 'bench', 'examples', 'scripts']) {
  const all = files(folder);
  if (['src-native', 'lib', 'test'].includes(folder)) checkFull(folder, all);
  for (const file of all) {
    const text = readFileSync(join(root, file), 'utf8');
    const statements = code(text);
    if (TEST.test(file)) tests.set(file, text);
    if (TOPS.has(folder)) {
      const targets = [...dependencies(file, statements)];
      checkRooms(file, targets);
      graph.set(file, targets);
    }
    if (folder === 'lib') {
      if (file.endsWith('/index.ts')) checkIndex(file, statements);
      for (const name of new Set(Array.from(statements.matchAll(NAME), ([, exported, local]) => exported ?? local))) {
        declared.set(name, [...(declared.get(name) ?? []), file]);
      }
    }
    for (const { where, what, only, why } of RESERVED) {
      if (where.test(file) && what.test(statements) && !only.some((allowed) => file.startsWith(allowed))) {
        problems.push(`${file}: ${why}`);
      }
    }
    const lines = linesOf(statements);
    if (lines > MOST_LINES) problems.push(`${file}: ${lines} lines of code; over ${MOST_LINES} a concept is missing`);
  }
}
checkCircles(graph);
checkNames(declared);
if (tests.size > 0) checkTests(tests, [...graph.keys()]);

for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
