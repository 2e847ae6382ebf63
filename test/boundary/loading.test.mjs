// How many files an import loads, and which entry points share classes: lib/{index,errors}.ts,
// lib/{http,shm,store,sys}/index.ts, lib/cli/run.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import * as errors from 'memmap/errors';
import { misses } from '../support/hooks.mjs';
import { MEMMAP } from '../support/cli/cli.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const ENTRIES = ['memmap', 'memmap/errors', 'memmap/http', 'memmap/shm', 'memmap/store', 'memmap/sys'];
const require = createRequire(import.meta.url);

/** Runs Node, and tells the files that it opened; undefined without strace(1). */
function opened(args) {
  const { error, stderr, status } = spawnSync('strace', ['-f', '-qq', '-e', 'trace=open,openat', process.execPath, ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error?.code === 'ENOENT') return undefined;
  assert.equal(status, 0, stderr);
  const calls = stderr.matchAll(/open(?:at)?\((?:AT_FDCWD, )?"([^"]+)", (\S+)\) = \d+/g);
  return new Set(Array.from(calls).filter(([, , flags]) => !flags.includes('O_DIRECTORY')).map(([, path]) => path));
}

describe('Loading', () => {
  const file = temporaryFiles();

  it('memmap/errors has every class of errors, and does not load the addon', () => {
    const program = "import('memmap/errors').then((errors) => console.log(Object.keys(errors).toSorted().join()))";
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      env: { ...process.env, MEMMAP_ADDON: '/nowhere/memmap.node' },
    });
    assert.equal(stdout, 'FaultError,PeerError,StateError,SystemError,UnsupportedError\n', stderr);
  });

  it('each entry point has the classes of its errors, and they are the same, by import and by require', async () => {
    for (const entry of ENTRIES) {
      const [imported, required] = [await import(entry), process.features.require_module ? require(entry) : undefined];
      const names = ['FaultError', 'StateError', 'SystemError', 'UnsupportedError', ...(/shm|store/.test(entry) ? ['PeerError'] : [])];
      for (const name of names) {
        assert.equal(imported[name], errors[name], `${entry} ${name}`);
        if (required !== undefined) assert.equal(required[name], errors[name], `${entry} ${name}`);
      }
      if (required !== undefined) for (const [name, value] of Object.entries(imported)) assert.equal(required[name], value, `${entry} ${name}`);
    }
  });

  it('a mapping of one entry point is one to the others', async () => {
    const { Mapping } = await import('memmap');
    const { Mutex, SharedMemory } = await import('memmap/shm');
    const memory = SharedMemory.create({ length: 4096 });
    const mapping = memory.map();
    assert.ok(mapping instanceof Mapping);
    assert.equal(new Mutex(mapping, 0).tryLock() !== false, true);
    mapping.close();
    memory.close();
  });

  it('what is loaded is text of one byte a character', () => {
    const dist = new URL('../../dist/', import.meta.url);
    const scripts = readdirSync(dist, { recursive: true }).filter((name) => name.endsWith('.js'));
    assert.ok(scripts.length > ENTRIES.length);
    for (const name of scripts) assert.ok(readFileSync(new URL(name, dist)).every((byte) => byte < 0x80), name);
  });

  it('an entry point opens at most 10 files', function () {
    const before = opened([file('empty.mjs', '')]);
    if (before === undefined) return misses('strace', this);
    for (const entry of ENTRIES) {
      const all = opened(['--input-type=module', '-e', `import ${JSON.stringify(entry)}`]);
      const more = [...all].filter((path) => !before.has(path));
      assert.ok(more.length <= 10, `${entry} opens ${more.length}: ${more.join(' ')}`);
    }
    return undefined;
  });

  it('no import copies the exports of node:fs, and none loads node:worker_threads', () => {
    const program = (entry) => `
      const before = new Set(process.moduleLoadList);
      await import(${JSON.stringify(entry)});
      console.log(process.moduleLoadList.filter((name) => !before.has(name)).join());`;
    for (const entry of ENTRIES) {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program(entry)], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      assert.doesNotMatch(stdout, /NativeModule worker_threads/, entry);
    }
    const dist = join(import.meta.dirname, '../../dist');
    const files = readdirSync(dist, { recursive: true }).filter((name) => name.endsWith('.js'));
    const importing = files.filter((name) => /^import .*"node:fs"/m.test(readFileSync(join(dist, name), 'utf8')));
    assert.ok(files.length > 5);
    assert.deepEqual(importing, []);
  });

  it('memmap touch opens at most 20 files of the package and its dependencies', function () {
    const all = opened([MEMMAP, 'touch', file('touched', 'a')]);
    if (all === undefined) return misses('strace', this);
    const root = realpathSync(join(MEMMAP, '../../..'));
    const ours = [...all].filter((path) => path.startsWith(`${root}/`));
    assert.ok(ours.length > 0 && ours.length <= 20, `${ours.length}: ${ours.join(' ')}`);
    return undefined;
  });
});
