// The rules of the tree, tested with seeded violations: scripts/check-layers.mjs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { temporaryFiles } from '../support/temp.mjs';

const CIRCLE = 'a circle of imports';
const VIOLATIONS = {
  'src-native/sys/bad.cc': ['#include "core/page.h"\n', 'src-native/sys may not use src-native/core '],
  'src-native/core/bytes/bad.cc': ['#include "napi/convert.h"\n', 'src-native/core/bytes may not use src-native/napi '],
  'src-native/core/extent/bad.cc': ['#include "core/guard/guard.h"\n', 'src-native/core/extent may not use src-native/core/guard '],
  'src-native/core/bytes/node.cc': ['#include <napi.h>\n', 'only napi/ knows Node'],
  'src-native/core/bytes/unmaps.cc': ['void f() { sys::munmap(0, 1); }\n', 'only core/mapping unmaps'],
  'src-native/core/bytes/calls.cc': ['int f() { return ::madvise(0, 0, 0); }\n', 'system calls are made in sys/'],
  'src-native/core/bytes/starts.cc': ['void f() { std::thread([] {}).detach(); }\n', 'only core/thread starts threads'],
  'src-native/napi/makes.cc': ['auto f(napi_env env) { return Napi::Float64Array::New(env, 1); }\n', 'only convert.h makes arrays'],
  'src-native/napi/looks.cc': ['auto f(Napi::Value v) { return v.As<Napi::Uint8Array>().Data(); }\n', 'only convert.h makes arrays'],
  'src-native/extra/bad.cc': ['\n', "unknown room 'src-native/extra'"],
  'lib/internal/bad.ts': ["import { Mapping } from '../mem/mapping.js';\n", 'lib/internal may not use lib/mem '],
  'lib/mem/bad.ts': ["import { mapFile } from '../file/map-file.js';\n", 'lib/mem may not use lib/file '],
  'lib/shm/wait/bad.ts': ["import type { Mutex } from '../lock/mutex.js';\n", 'lib/shm/wait may not use lib/shm/lock '],
  'lib/store/file/bad.ts': ["import { Log } from '../log/log.js';\n", 'lib/store/file may not use lib/store/log '],
  'lib/mem/itself.ts': ["import type { A } from './itself.js';\n", CIRCLE],
  'lib/mem/loads.ts': ["import { createRequire } from 'node:module';\n", 'only binding.ts loads the addon'],
  'lib/mem/prints.ts': ["console.log('hello');\n", 'the library prints nothing'],
  'lib/mem/default.ts': ['export default 1;\n', 'names, never defaults'],
  'lib/mem/entry.ts': ["import { mapFile } from '../index.js';\n", 'only users import an index'],
  'lib/mem/raises.ts': ["throw new SystemError(-1, 'mmap');\n", 'only internal/syscall.ts makes a SystemError'],
  'lib/mem/again.ts': ['export interface Protections {}\n', "the name 'Protections' is declared in"],
  'lib/mem/also.ts': ['export function mapFile() {}\n', "the name 'mapFile' is declared in", 'lib/file/map-file.ts'],
  'lib/cli/bad.ts': ["import { check } from '../mem/mapping.js';\n", 'public entry points only'],
  'lib/cli/common/script.ts': ["export const SCRIPT = `\ndocument.title = '';\n`;\n", 'code of the browser is in files'],
  'lib/cli/common/element.ts': ["export const SCRIPT = '<script>alert(1)</script>';\n", 'code of the browser is in files'],
  'lib/cli/common/style.ts': ['export const STYLE = `\n.legend { display: flex; }\n`;\n', 'the style of the page is a file'],
  'lib/cli/presence/page.ts': ["import { Page } from '../picture/html/browser/page.js';\n", 'lib/cli/presence may not use lib/cli/picture/html/browser '],
  'lib/utils/bad.ts': ['export const x = 1;\n', "unknown room 'lib/utils'"],
  'lib/file/index.ts': ['export const x = 1;\n', 'an index re-exports and no more'],
  'lib/mem/long.ts': ['export {};\n'.repeat(301), 'a concept is missing'],
  'test/mem/bad.test.mjs': ["// Mappings: lib/mem/mapping.ts.\nimport { mapFile } from '../../dist/index.js';\n", 'by its name'],
  'test/mem/silent.test.mjs': ["// Mappings, as docs/errors.md says.\nimport assert from 'node:assert/strict';\n", 'names the sources it tests'],
  'test/mem/long.test.mjs': ['// Mappings,\n// long ones:\n// lib/mem/mapping.ts.\n', 'of at most two lines'],
  'test/mem/wrong.test.mjs': ['// Mappings: lib/mem/{mapping,gone}.ts.\n', 'it names lib/mem/gone.ts, which does not exist'],
  'test/cli/bench/bench.test.mjs': ['// memmap bench: lib/cli/run.ts.\n', 'no test names it', 'lib/cli/bench'],
};
/** What the rules are about, and what tests name besides. */
const FOLDERS = ['src-native', 'lib', 'test', 'scripts', 'examples', 'docs'];

describe('scripts/check-layers.mjs', () => {
  const file = temporaryFiles();
  let tree;

  before(() => {
    tree = file('tree');
    for (const folder of FOLDERS) cpSync(folder, join(tree, folder), { recursive: true, filter: (from) => basename(from) !== 'node_modules' });
  });

  function check(root) {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/check-layers.mjs', root], { encoding: 'utf8' });
    return { status, stderr };
  }

  it('finds nothing wrong with this tree', () => {
    assert.deepEqual(check('.'), { status: 0, stderr: '' });
  });

  for (const [path, [content, problem, told = path]] of Object.entries(VIOLATIONS)) {
    it(`refuses ${path}: ${problem}`, () => {
      const at = join(tree, path);
      const before = existsSync(at) ? readFileSync(at) : undefined;
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, content);
      const { status, stderr } = check(tree);
      if (before === undefined) rmSync(at);
      else writeFileSync(at, before);
      assert.equal(status, 1);
      assert.deepEqual(stderr.trimEnd().split('\n').length, 1, stderr);
      assert.ok(stderr.startsWith(`${told}: `) && stderr.includes(problem), stderr);
    });
  }

  it('refuses a room of more than 20 sources', () => {
    const root = file('full');
    for (let i = 0; i < 21; i++) {
      mkdirSync(join(root, 'lib/mem'), { recursive: true });
      writeFileSync(join(root, 'lib/mem', `${i}.ts`), '');
    }
    assert.deepEqual(check(root), { status: 1, stderr: 'lib/mem: 21 sources; over 20 a room is missing\n' });
  });

  it('refuses a circle of two files, though only types make it', () => {
    const root = file('circle');
    mkdirSync(join(root, 'lib/mem'), { recursive: true });
    writeFileSync(join(root, 'lib/mem/a.ts'), "import type { B } from './b.js';\n");
    writeFileSync(join(root, 'lib/mem/b.ts'), "import type { A } from './a.js';\n");
    assert.deepEqual(check(root), { status: 1, stderr: 'lib/mem/a.ts: a circle of imports: lib/mem/a.ts > lib/mem/b.ts > lib/mem/a.ts\n' });
  });
});
