// The layer rules, tested with seeded violations: a rule that nothing can break is no rule.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFiles } from '../support/temp.mjs';

const VIOLATIONS = {
  'src-native/sys/bad.cc': ['#include "core/page.h"\n', 'sys/ may not use core/'],
  'src-native/core/bad.cc': ['#include "napi/convert.h"\n', 'core/ may not use napi/'],
  'src-native/core/node.cc': ['#include <napi.h>\n', 'only napi/ knows Node'],
  'src-native/core/unmaps.cc': ['void f() { sys::munmap(0, 1); }\n', 'only core/address_range unmaps'],
  'src-native/core/calls.cc': ['int f() { return ::madvise(0, 0, 0); }\n', 'system calls are made in sys/'],
  'src-native/core/starts.cc': ['void f() { std::thread([] {}).detach(); }\n', 'only core/thread starts threads'],
  'src-native/napi/makes.cc': ['auto f(napi_env env) { return Napi::Float64Array::New(env, 1); }\n', 'only convert.h makes arrays'],
  'src-native/napi/looks.cc': ['auto f(Napi::Value v) { return v.As<Napi::Uint8Array>().Data(); }\n', 'only convert.h makes arrays'],
  'src-native/extra/bad.cc': ['\n', "unknown layer 'extra'"],
  'lib/internal/bad.ts': ["import { Mapping } from '../mem/mapping.js';\n", 'internal/ may not use mem/'],
  'lib/mem/bad.ts': ["import { mapFile } from '../file/map-file.js';\n", 'mem/ may not use file/'],
  'lib/mem/loads.ts': ["import { createRequire } from 'node:module';\n", 'only binding.ts loads the addon'],
  'lib/mem/prints.ts': ["console.log('hello');\n", 'the library prints nothing'],
  'lib/mem/default.ts': ['export default 1;\n', 'names, never defaults'],
  'lib/mem/entry.ts': ["import { mapFile } from '../index.js';\n", 'only users import an index'],
  'lib/cli/bad.ts': ["import { check } from '../mem/mapping.js';\n", 'public entry points only'],
  'lib/utils/bad.ts': ['export const x = 1;\n', "unknown layer 'utils'"],
  'lib/file/index.ts': ['export const x = 1;\n', 'an index re-exports and no more'],
  'lib/mem/long.ts': ['// line\n'.repeat(321), 'a concept is missing'],
  'test/mem/bad.test.mjs': ["import { mapFile } from '../../dist/index.js';\n", 'by its name'],
};

describe('scripts/check-layers.mjs', () => {
  const file = temporaryFiles();

  function check(root) {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/check-layers.mjs', root], { encoding: 'utf8' });
    return { status, stderr };
  }

  it('finds nothing wrong with this tree', () => {
    assert.deepEqual(check('.'), { status: 0, stderr: '' });
  });

  for (const [path, [content, problem]] of Object.entries(VIOLATIONS)) {
    it(`refuses ${path}: ${problem}`, () => {
      const root = file(path.replaceAll('/', '-'));
      mkdirSync(root);
      for (const folder of ['src-native', 'lib']) cpSync(folder, join(root, folder), { recursive: true });
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
      const { status, stderr } = check(root);
      assert.equal(status, 1);
      assert.deepEqual(stderr.trimEnd().split('\n').length, 1, stderr);
      assert.match(stderr, new RegExp(`^${path}: .*${problem}`));
    });
  }
});
